use super::*;

fn layers(site: Option<&str>, variables: &[(&str, &str)], flags: &[&str]) -> (Layers, Problems) {
    let mut problems = Problems::default();
    let default = Layer::file(DEFAULT_NAME, DEFAULT, &mut problems);
    let site = site.map(|text| Layer::file("site.toml", text, &mut problems));
    let mut layers = Layers::new(default, site);
    for (rest, value) in variables {
        layers.push(Layer::variable("FHIRCAST_GATEWAY__", rest, value));
    }
    for flag in flags {
        layers.push(Layer::flag(flag).unwrap());
    }
    (layers, problems)
}

fn read(site: &str) -> (Option<Config>, String) {
    let (layers, mut problems) = layers(Some(site), &[], &[]);
    let config = Config::read(&layers, &mut problems);
    (config, if problems.is_empty() { String::new() } else { problems.to_string() })
}

#[test]
fn the_built_in_file_is_right_and_complete() {
    let (layers, mut problems) = layers(None, &[], &[]);
    let config = Config::read(&layers, &mut problems).unwrap();
    assert!(problems.is_empty(), "{problems}");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.adapters.keys().collect::<Vec<_>>(), ["ris"]);
}

#[test]
fn a_site_sets_one_policy_of_a_built_in_mount_and_mistakes_in_mounts_are_shown_where_they_stand() {
    let (config, problems) = read("[hub.mount.api]\nmisses = 5\n[hub.mount.powercast]\nenabled = true\n");
    assert_eq!(problems, "");
    let mounts = config.unwrap().hub.mount;
    assert_eq!((mounts["api"].misses, mounts["api"].path.as_str()), (Some(5), "/api/hub"));
    assert!(mounts["powercast"].enabled);
    let (_, problems) = read(
        "[hub.mount.mine]\npath = \"/hub/\"\nedition = \"3.0.0\"\nwebhooks = true\n\
         [hub.mount.odd]\npath = \"hub {x}\"\nedition = \"3.0.0\"\n",
    );
    for text in ["claims the path of mount `mine`", "cannot have webhooks", "mount `odd` needs a path", "site.toml:6:8"]
    {
        assert!(problems.contains(text), "{text} in\n{problems}");
    }
}

#[test]
fn sec_01_04_beyond_this_machine_the_hub_needs_tls_and_authentication() {
    let token = "[auth]\nmode = \"bearer\"\n[auth.token.a]\nfile = \"/t\"\nscopes = \"fhircast/*.*\"\n";
    let tls = "[http.tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";
    let listen = "[hub]\nallowed_hosts = [\"hub.example\"]\n[http]\nlisten = \"0.0.0.0:8080\"\n";
    let proxy = "proxy_terminates_tls = true\n";
    for (site, told) in [
        (listen.to_owned(), &["without TLS", "anybody may do anything"][..]),
        (format!("{listen}{tls}"), &["anybody may do anything"]),
        (format!("{listen}{token}"), &["without TLS"]),
        (format!("{listen}{tls}{token}"), &[]),
        (format!("{listen}{proxy}{token}"), &[]),
        ("[admin]\nlisten = \"0.0.0.0:8081\"\n".to_owned(), &["`admin.listen` must be a loopback address"]),
        (format!("[http]\nlisten = \"0.0.0.0:8080\"\n{proxy}{token}"), &["the hub has no name there"]),
    ] {
        let (_, problems) = read(&site);
        assert_eq!(problems.matches("error:").count(), told.len(), "{site}\n{problems}");
        assert!(told.iter().all(|text| problems.contains(text)), "{site}\n{problems}");
    }
}

#[test]
fn cli_38_a_connector_needs_loopback_the_dialects_mount_and_addresses_without_secrets() {
    let connector = "[hub.connector]\nauthorization_endpoint = \"https://idp.example/a\"\n";
    let token = "token_endpoint = \"https://idp.example/t\"\n";
    let mount = "[hub.mount.powercast]\nenabled = true\n";
    let secret = "token_endpoint = \"https://me:pw@idp.example/t\"\n";
    for (site, told) in [
        (format!("{connector}{token}{mount}"), &[][..]),
        (format!("{connector}{token}listen = \"127.0.0.1:1\"\n{mount}"), &[]),
        (format!("{connector}{token}"), &["no mount of the powercast dialect"]),
        (format!("{connector}{mount}"), &["token_endpoint"]),
        (format!("{connector}token_endpoint = \"\"\n{mount}"), &["is not a URL"]),
        (format!("{connector}{secret}{mount}"), &["must not hold a user name or password"]),
        (format!("{connector}{token}listen = \"10.0.0.1:9292\"\n{mount}"), &["must be a loopback address"]),
    ] {
        let (_, problems) = read(&site);
        assert_eq!(problems.matches("error:").count(), told.len(), "{site}\n{problems}");
        assert!(told.iter().all(|text| problems.contains(text)), "{site}\n{problems}");
    }
}

#[test]
fn cli_39_sub_10_addresses_that_can_be_guessed_are_for_this_machine_only() {
    let legacy = "[hub.mount.api]\nlegacy_binding = true\n";
    let token = "[auth]\nmode = \"bearer\"\n[auth.token.a]\nfile = \"/t\"\nscopes = \"fhircast/*.*\"\n";
    let tls = "[http.tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";
    for (http, told) in [
        ("", 0),
        ("[http]\nproxy_terminates_tls = true\n", 1),
        (&format!("[hub]\nallowed_hosts = [\"a\"]\n[http]\nlisten = \"10.0.0.1:8080\"\n{tls}{token}"), 1),
    ] {
        let (_, problems) = read(&format!("{http}{legacy}"));
        assert_eq!(problems.matches("error:").count(), told, "{http}\n{problems}");
        assert_eq!(problems.contains("mount `api` cannot have `legacy_binding`"), told > 0, "{http}\n{problems}");
    }
}

#[test]
fn the_mounts_of_the_built_in_file_are_those_of_a_hub_without_one() {
    let config = read("").0.unwrap();
    assert_eq!(format!("{:?}", config.hub.mount), format!("{:?}", HubSettings::default().mount));
}

#[test]
fn higher_layers_win_and_each_value_tells_where_it_came_from() {
    let site = "[http]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:2\"\n[log]\nfilter = \"warn\"\n";
    let (layers, mut problems) =
        layers(Some(site), &[("ADMIN__LISTEN", "127.0.0.1:3"), ("LOG__FILTER", "debug")], &["log.filter=error"]);
    let config = Config::read(&layers, &mut problems).unwrap();
    assert!(problems.is_empty(), "{problems}");
    assert_eq!(config.http.listen.port(), 1);
    assert_eq!(config.admin.listen.port(), 3);
    assert_eq!(config.log.filter, "error");
    let printed = print_effective(&layers);
    for (key, origin) in [
        ("http.listen", "site.toml:2"),
        ("admin.listen", "environment variable FHIRCAST_GATEWAY__ADMIN__LISTEN"),
        ("log.filter", "flag --set log.filter"),
        ("sessions.topic", "config/gateway.toml:"),
    ] {
        let line = printed.lines().find(|line| line.starts_with(&format!("{key} "))).unwrap();
        assert!(line.contains(origin), "{line}");
    }
}

#[test]
fn a_site_that_names_adapters_replaces_the_built_in_one_and_starts_from_its_kinds_defaults() {
    let (config, problems) = read("[adapter.ris-east]\nkind = \"mllp\"\nlisten = \"127.0.0.1:2600\"\n");
    assert_eq!(problems, "");
    let adapters = config.unwrap().adapters;
    assert_eq!(adapters.keys().collect::<Vec<_>>(), ["ris-east"]);
    let Value::Dict(_, settings) = &adapters["ris-east"].settings else { panic!("no table") };
    assert_eq!(settings["listen"].as_str(), Some("127.0.0.1:2600"));
    assert_eq!(settings["max_message"].as_str(), Some("16MiB"));
}

#[test]
fn every_problem_is_reported_at_once_with_line_caret_and_nearest_name() {
    let (_, problems) = read(
        "[http]\nlisten = \"nowhere\"\n\n[hubb]\n\n[sessions]\ntopic = \"guessable\"\nmaks = 3\n\n[hub]\nmax_topics = \"many\"\n\n\
         [adapter.ris-east]\nlisten = \"127.0.0.1:2600\"\n",
    );
    insta::assert_snapshot!(problems);
}

#[test]
fn syntax_errors_are_reported_beside_all_others() {
    let (_, problems) = read("[http\nlisten = 3\n\n[log]\nfilter = 7\n");
    assert!(problems.contains("site.toml:1:"), "{problems}");
    assert!(problems.contains("site.toml:5:"), "{problems}");
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let (layers, mut problems) = layers(None, &[("HTTP__LISSEN", "x")], &[]);
    Config::read(&layers, &mut problems);
    let text = problems.to_string();
    assert!(text.contains("FHIRCAST_GATEWAY__HTTP__LISSEN") && text.contains("did you mean `listen`?"), "{text}");
}

#[test]
fn secrets_are_never_printed() {
    let (layers, _) = layers(None, &[("HTTP__API_TOKEN", "hunter2")], &[]);
    let printed = print_effective(&layers);
    assert!(printed.contains("[redacted]") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn sub_14_tokens_and_issuers_are_read_and_the_default_asks_for_none() {
    assert!(read("").0.unwrap().auth.is_open());
    let (config, problems) = read(
        "[auth]\nmode = \"bearer\"\n[auth.issuer.a]\nissuer = \"https://i.example\"\naudiences = [\"hub\"]\n\
         jwks = \"https://i.example/jwks\"\nalgorithms = [\"EdDSA\"]\nleeway = \"10s\"\n\
         [auth.token.b]\nfile = \"/t\"\nscopes = \"fhircast/*.*\"\nexpires = 2027-01-31T00:00:00Z\n",
    );
    assert_eq!(problems, "");
    let auth = config.unwrap().auth;
    assert!(!auth.is_open());
    assert_eq!(auth.issuer["a"].leeway, jiff::SignedDuration::from_secs(10));
    assert_eq!(auth.token["b"].expires, Some("2027-01-31T00:00:00Z".parse().unwrap()));
}

#[test]
fn sub_14_what_is_wrong_with_tokens_and_issuers_is_reported_at_its_line() {
    let (_, problems) = read(
        "[auth]\nmode = \"bearer\"\n[auth.issuer.a]\naudiences = [\"hub\"]\nissuer = \"https://i.example\"\n\
         jwks = \"http://i.example/jwks\"\nalgorithms = [\"HS256\"]\nleewai = \"1s\"\n[auth.token.b]\nscopes = \"x\"\n",
    );
    for expected in [
        "site.toml:6:",
        "must be https",
        "did you mean `leeway`?",
        "HS256",
        "site.toml:9:",
        "`auth.token.b` needs `file`",
        "`x` grants nothing",
    ] {
        assert!(problems.contains(expected), "{expected}\n{problems}");
    }
}

#[test]
fn sma_01_a_client_needs_a_served_mount_and_its_paths_and_mistakes_are_shown_where_they_stand() {
    let client = "[auth]\nmode = \"bearer\"\n[auth.client.a]\nsecret_files = [\"/s\"]\nscopes = \"fhircast/*.*\"\n";
    for (site, told) in [
        (client.to_owned(), &[][..]),
        (format!("{client}mount = \"compatible\"\nuser = \"drjones\"\ntoken_lifetime = \"1h\"\n"), &[]),
        (
            format!("{client}mount = \"powercast\"\n"),
            &["names a mount that is not served", "site.toml:6:", "there are: "],
        ),
        (format!("{client}mount = \"\"\n"), &["names a mount that is not served"]),
        (format!("{client}token_lifetime = \"2h\"\n"), &["cannot be 2h", "give it 10s to 1h", "site.toml:6:"]),
        (format!("{client}secret = \"x\"\n"), &["unknown key `secret`", "site.toml:6:"]),
        (client.replace("[auth.client.a]", "[auth.client.\"a b\"]"), &["is no client_id", "site.toml:3:"]),
        (client.replace("bearer", "none"), &["would not be asked for"]),
        (
            format!("{client}[hub.mount.mine]\npath = \"/token/\"\nedition = \"3.0.0\"\n"),
            &["claims a path of the gateway's own token endpoint", "site.toml:7:"],
        ),
    ] {
        let (_, problems) = read(&site);
        assert_eq!(problems.matches("error:").count(), told.len().min(1), "{site}\n{problems}");
        assert!(told.iter().all(|text| problems.contains(text)), "{site}\n{problems}");
    }
    let (_, problems) = read("[hub.mount.mine]\npath = \"/token\"\nedition = \"3.0.0\"\n");
    assert_eq!(problems, "", "without clients the path is free");
}

/// The lines that are commented out are what a site copies.
#[test]
fn sub_14_the_examples_in_the_built_in_file_can_be_used() {
    let start = DEFAULT.find("[auth]").unwrap();
    let end = DEFAULT[start..].find("[sessions]").unwrap() + start;
    let is_setting =
        |line: &&str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let lines = DEFAULT[start..end].lines().map(|line| line.trim_start_matches("# ")).filter(is_setting);
    let site = lines.collect::<Vec<_>>().join("\n").replace("mode = \"none\"", "mode = \"bearer\"");
    let (config, problems) = read(&site);
    assert_eq!(problems, "", "{site}");
    let auth = config.unwrap().auth;
    assert!(auth.issuer.len() == 1 && auth.token.len() == 1 && auth.client.len() == 1 && auth.introspection.is_some());
}
