//! What is wrong with the `[auth]` settings beyond their form: everything at once, each with what to do.

use std::fmt;

use jiff::SignedDuration;

use super::Topics;
use super::fetch::provider_url;
use super::settings::{AuthSettings, ClientSettings, IntrospectionSettings, IssuerSettings, StaticTokenSettings};
use crate::fhircast::Scopes;

/// One mistake in the `[auth]` settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthProblem {
    /// The key that is to be changed, or the table that lacks one: `["auth", "issuer", "hospital", "jwks"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

const MOST_ISSUERS: usize = 16;
const MOST_STATIC_TOKENS: usize = 64;
const MOST_CLIENTS: usize = 256;
const MOST_SECRETS: usize = 2;
/// So that a token that spells them out stays short enough for a header.
const LONGEST_SCOPES: usize = 2048;
const MOST_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
const MOST_LEEWAY: SignedDuration = SignedDuration::from_mins(5);
const MOST_KEEP_KEYS: SignedDuration = SignedDuration::from_hours(7 * 24);

impl AuthSettings {
    /// Everything that is wrong; nothing where the settings can be used.
    pub fn problems(&self) -> Vec<AuthProblem> {
        let mut found = Found(Vec::new());
        self.check_mode(&mut found);
        self.check_counts(&mut found);
        for (name, token) in &self.token {
            check_static_token(&mut found, &["auth", "token", name], token);
        }
        for (name, client) in &self.client {
            check_client(&mut found, &["auth", "client", name], client);
        }
        for (name, issuer) in &self.issuer {
            check_issuer(&mut found, &["auth", "issuer", name], issuer);
        }
        self.check_issuers_differ(&mut found);
        if let Some(introspection) = &self.introspection {
            check_introspection(&mut found, &["auth", "introspection"], introspection);
        }
        found.0
    }

    /// A site that configures tokens and forgets to ask for them would be open without knowing.
    fn check_mode(&self, found: &mut Found) {
        let tables = [self.token.is_empty(), self.client.is_empty(), self.issuer.is_empty()];
        let sources = tables.contains(&false) || self.introspection.is_some();
        if self.is_open() && sources {
            let help = "set auth.mode = \"bearer\" to ask for tokens, or take out the sources of tokens below [auth]";
            found.add(
                &["auth"],
                "mode",
                "`auth.mode` is \"none\", so the tokens configured would not be asked for",
                help,
            );
        }
        if !self.is_open() && !sources {
            let help =
                "add [auth.issuer.NAME], [auth.introspection], [auth.client.NAME] or, for a trial, [auth.token.NAME]";
            found.add(&["auth"], "mode", "`auth.mode` is \"bearer\", but nothing says which tokens are good", help);
        }
    }

    fn check_counts(&self, found: &mut Found) {
        for (key, number, most) in [
            ("client", self.client.len(), MOST_CLIENTS),
            ("issuer", self.issuer.len(), MOST_ISSUERS),
            ("token", self.token.len(), MOST_STATIC_TOKENS),
        ] {
            if number > most {
                let message = format!("`auth.{key}` has {number} entries, and may have {most}");
                found.add(&["auth"], key, &message, "take some out");
            }
        }
    }

    fn check_issuers_differ(&self, found: &mut Found) {
        for (name, settings) in &self.issuer {
            let earlier = self.issuer.iter().take_while(|(other, _)| *other != name);
            if let Some((other, _)) = earlier.into_iter().find(|(_, other)| other.issuer == settings.issuer)
                && !settings.issuer.is_empty()
            {
                let message = format!("`auth.issuer.{name}` and `auth.issuer.{other}` are the same issuer");
                found.add(&["auth", "issuer", name], "issuer", &message, "put all its audiences into one of them");
            }
        }
    }
}

fn check_static_token(found: &mut Found, path: &[&str], token: &StaticTokenSettings) {
    if token.file.as_os_str().is_empty() {
        found.needs(path, "file", "name the file that holds the token: file = \"/etc/fhircast-gateway/trial.token\"");
    }
    check_scopes(found, path, &token.scopes);
    let topics = token.topics.as_deref().unwrap_or(&[]);
    if token.topics.is_some() && (topics.is_empty() || topics.len() > Topics::MOST) {
        let message = format!("`{}.topics` must name 1 to {} topics", path.join("."), Topics::MOST);
        found.add(path, "topics", &message, "leave it out for a token that is bound to no topic");
    }
}

fn check_scopes(found: &mut Found, path: &[&str], scopes: &str) {
    if scopes.trim().is_empty() {
        found.needs(path, "scopes", "say what it grants: scopes = \"fhircast/*.read fhircast/Patient-open.write\"");
    }
    for scope in scopes.split(' ').filter(|scope| !scope.is_empty() && Scopes::parse(scope).is_empty()) {
        let message = format!("`{}.scopes`: `{}` grants nothing", path.join("."), scope.escape_default());
        found.add(
            path,
            "scopes",
            &message,
            "a scope is fhircast/<event or *>.<read, write or *>, and a space parts two",
        );
    }
}

fn check_client(found: &mut Found, path: &[&str], client: &ClientSettings) {
    if !path.last().is_some_and(|name| super::token_endpoint::is_client_id(name)) {
        let message = format!("`{}` is no client_id", path.join(".").escape_default());
        let help = "give it 1 to 64 letters, digits and -._~, which every client sends alike";
        found.table(path, &message, help);
    }
    let files = &client.secret_files;
    if files.is_empty() || files.iter().any(|file| file.as_os_str().is_empty()) {
        let help = "name the file that holds its secret: secret_files = [\"/etc/fhircast-gateway/NAME.secret\"]";
        found.needs(path, "secret_files", help);
    }
    if files.len() > MOST_SECRETS {
        let message = format!("`{}.secret_files` may name {MOST_SECRETS} files", path.join("."));
        found.add(path, "secret_files", &message, "one, and a second while the secret is being changed");
    }
    check_scopes(found, path, &client.scopes);
    if client.scopes.len() > LONGEST_SCOPES {
        let message = format!("`{}.scopes` is longer than {LONGEST_SCOPES} characters", path.join("."));
        found.add(path, "scopes", &message, "write fhircast/*.read in the place of many events");
    }
    if client.user.as_deref().is_some_and(|user| !super::token_endpoint::is_user(user)) {
        let message = format!("`{}.user` is no user's name", path.join("."));
        found.add(
            path,
            "user",
            &message,
            "write it as the older systems do, or leave it out: then the client names it",
        );
    }
    let least = SignedDuration::from_secs(10);
    check_time(found, path, "token_lifetime", client.token_lifetime, (least, MOST_TOKEN_LIFETIME));
}

fn check_issuer(found: &mut Found, path: &[&str], issuer: &IssuerSettings) {
    if issuer.issuer.is_empty() {
        found.needs(path, "issuer", "give what its tokens have in `iss`: issuer = \"https://login.hospital.example\"");
    }
    if issuer.audiences.is_empty() {
        found.needs(path, "audiences", "without one, a token for any other service would be good here");
    }
    check_names(found, path, "audiences", &issuer.audiences);
    check_url(found, path, "jwks", &issuer.jwks);
    if issuer.algorithms.is_empty() {
        found.needs(path, "algorithms", "leave it out for the usual ones, or name one, such as RS256");
    }
    check_claim(found, path, "topic_claim", issuer.topic_claim.as_deref());
    check_claim(found, path, "token_type", issuer.token_type.as_deref());
    check_time(found, path, "leeway", issuer.leeway, (SignedDuration::ZERO, MOST_LEEWAY));
    check_time(found, path, "keep_keys", issuer.keep_keys, (SignedDuration::from_mins(1), MOST_KEEP_KEYS));
}

fn check_introspection(found: &mut Found, path: &[&str], introspection: &IntrospectionSettings) {
    check_url(found, path, "endpoint", &introspection.endpoint);
    if introspection.client_id.is_empty() {
        found.needs(path, "client_id", "give the name under which the provider knows this gateway");
    }
    if introspection.client_secret_file.as_os_str().is_empty() {
        found.needs(path, "client_secret_file", "name the file that holds the password of `client_id`");
    }
    check_names(found, path, "audiences", &introspection.audiences);
    check_claim(found, path, "topic_claim", introspection.topic_claim.as_deref());
}

fn check_url(found: &mut Found, path: &[&str], key: &str, url: &str) {
    if url.is_empty() {
        return found.needs(path, key, "give the address, as its documentation or its discovery document says it");
    }
    if let Err(wrong) = provider_url(url) {
        let help = "write https://HOST/PATH; http is for a provider on this machine (127.0.0.1, [::1], localhost)";
        found.add(path, key, &format!("`{}.{key}` {wrong}", path.join(".")), help);
    }
}

fn check_names(found: &mut Found, path: &[&str], key: &str, names: &[String]) {
    if names.iter().any(String::is_empty) {
        found.add(path, key, &format!("`{}.{key}` holds an empty name", path.join(".")), "take it out");
    }
}

fn check_claim(found: &mut Found, path: &[&str], key: &str, claim: Option<&str>) {
    if claim == Some("") {
        found.add(path, key, &format!("`{}.{key}` is empty", path.join(".")), "leave it out, or give the name");
    }
}

fn check_time(
    found: &mut Found,
    path: &[&str],
    key: &str,
    time: SignedDuration,
    (least, most): (SignedDuration, SignedDuration),
) {
    if time < least || time > most {
        let message = format!("`{}.{key}` cannot be {time:#}", path.join("."));
        found.add(path, key, &message, &format!("give it {least:#} to {most:#}"));
    }
}

struct Found(Vec<AuthProblem>);

impl Found {
    fn add(&mut self, table: &[&str], key: &str, message: &str, help: &str) {
        let path = table.iter().copied().chain([key]).map(str::to_owned).collect();
        self.0.push(AuthProblem { path, message: message.to_owned(), help: help.to_owned() });
    }

    /// A mistake in the name of a table.
    fn table(&mut self, table: &[&str], message: &str, help: &str) {
        let path = table.iter().copied().map(str::to_owned).collect();
        self.0.push(AuthProblem { path, message: message.to_owned(), help: help.to_owned() });
    }

    fn needs(&mut self, table: &[&str], key: &str, help: &str) {
        self.add(table, key, &format!("`{}` needs `{key}`", table.join(".")), help);
    }
}

impl fmt::Display for AuthProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.message, self.help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(toml: &str) -> Vec<String> {
        let settings: AuthSettings = toml::from_str(toml).unwrap();
        settings.problems().iter().map(|problem| format!("{} | {problem}", problem.path.join("."))).collect()
    }

    const ISSUER: &str = "mode = 'bearer'\n[issuer.a]\nissuer = 'https://i.example'\naudiences = ['hub']\n\
        jwks = 'https://i.example/jwks'\n";
    const TOKEN: &str = "mode = 'bearer'\n[token.a]\nfile = '/t'\nscopes = 'fhircast/*.read'\n";
    const CLIENT: &str = "mode = 'bearer'\n[client.a]\nsecret_files = ['/s']\nscopes = 'fhircast/*.read'\n";
    const INTROSPECTION: &str = "mode = 'bearer'\n[introspection]\nendpoint = 'https://i.example/introspect'\n\
        client_id = 'hub'\nclient_secret_file = '/s'\n";

    #[test]
    fn settings_that_can_be_used_have_no_problems() {
        for good in ["", ISSUER, TOKEN, CLIENT, INTROSPECTION] {
            assert!(problems(good).is_empty(), "{good}");
        }
        assert!(AuthSettings::default().is_open());
        assert!(!toml::from_str::<AuthSettings>(ISSUER).unwrap().is_open());
    }

    #[test]
    fn each_mistake_is_reported_with_its_key_and_what_to_do() {
        let with = |base: &str, line: &str| {
            let key = line.split(' ').next().unwrap_or_default();
            let kept: Vec<&str> =
                base.lines().filter(|own| key.is_empty() || !own.starts_with(&format!("{key} "))).collect();
            format!("{}\n{line}\n", kept.join("\n"))
        };
        for (toml, key, says) in [
            ("mode = 'bearer'".to_owned(), "auth.mode", "nothing says which tokens are good"),
            (ISSUER.replace("bearer", "none"), "auth.mode", "would not be asked for"),
            (with(ISSUER, "issuer = ''"), "auth.issuer.a.issuer", "needs `issuer`"),
            (with(ISSUER, "audiences = []"), "auth.issuer.a.audiences", "needs `audiences`"),
            (with(ISSUER, "audiences = ['']"), "auth.issuer.a.audiences", "empty name"),
            (with(ISSUER, "jwks = ''"), "auth.issuer.a.jwks", "needs `jwks`"),
            (with(ISSUER, "jwks = 'http://i.example/'"), "auth.issuer.a.jwks", "must be https"),
            (with(ISSUER, "algorithms = []"), "auth.issuer.a.algorithms", "leave it out"),
            (with(ISSUER, "leeway = '6m'"), "auth.issuer.a.leeway", "give it 0s to 5m"),
            (with(ISSUER, "leeway = '-1s'"), "auth.issuer.a.leeway", "give it 0s to 5m"),
            (with(ISSUER, "keep_keys = '0s'"), "auth.issuer.a.keep_keys", "give it 1m to"),
            (with(ISSUER, "topic_claim = ''"), "auth.issuer.a.topic_claim", "is empty"),
            (with(ISSUER, "token_type = ''"), "auth.issuer.a.token_type", "is empty"),
            (with(TOKEN, "file = ''"), "auth.token.a.file", "needs `file`"),
            (with(TOKEN, "scopes = ' '"), "auth.token.a.scopes", "needs `scopes`"),
            (with(TOKEN, "scopes = 'fhircast/*.reed'"), "auth.token.a.scopes", "`fhircast/*.reed` grants nothing"),
            (with(TOKEN, "topics = []"), "auth.token.a.topics", "1 to 64 topics"),
            (CLIENT.replace("bearer", "none"), "auth.mode", "would not be asked for"),
            (CLIENT.replace("client.a", "client.'a b'"), "auth.client.a b", "is no client_id"),
            (CLIENT.replace("client.a", "client.''"), "auth.client.", "is no client_id"),
            (with(CLIENT, "secret_files = []"), "auth.client.a.secret_files", "needs `secret_files`"),
            (with(CLIENT, "secret_files = ['']"), "auth.client.a.secret_files", "name the file"),
            (with(CLIENT, "secret_files = ['/1', '/2', '/3']"), "auth.client.a.secret_files", "may name 2 files"),
            (with(CLIENT, "scopes = ''"), "auth.client.a.scopes", "needs `scopes`"),
            (with(CLIENT, "scopes = 'openid'"), "auth.client.a.scopes", "`openid` grants nothing"),
            (
                with(CLIENT, &format!("scopes = '{}'", "fhircast/*.read ".repeat(200))),
                "auth.client.a.scopes",
                "longer than 2048",
            ),
            (with(CLIENT, "user = ' '"), "auth.client.a.user", "is no user's name"),
            (with(CLIENT, "token_lifetime = '61m'"), "auth.client.a.token_lifetime", "give it 10s to 1h"),
            (with(CLIENT, "token_lifetime = '0s'"), "auth.client.a.token_lifetime", "give it 10s to 1h"),
            (with(INTROSPECTION, "endpoint = 'nowhere'"), "auth.introspection.endpoint", "is not a URL"),
            (with(INTROSPECTION, "client_id = ''"), "auth.introspection.client_id", "needs `client_id`"),
            (with(INTROSPECTION, "client_secret_file = ''"), "auth.introspection.client_secret_file", "name the file"),
        ] {
            let found = problems(&toml);
            let [problem] = found.as_slice() else { panic!("{toml}\n{found:#?}") };
            assert!(problem.starts_with(&format!("{key} | ")) && problem.contains(says), "{problem}");
        }
    }

    #[test]
    fn one_issuer_configured_twice_is_reported() {
        let twice = format!(
            "{ISSUER}{}",
            ISSUER.lines().skip(1).collect::<Vec<_>>().join("\n").replace("issuer.a", "issuer.b")
        );
        assert!(problems(&twice)[0].contains("are the same issuer"), "{twice}");
    }

    #[test]
    fn t14_shared_secrets_and_no_signature_cannot_be_configured() {
        for algorithm in ["HS256", "HS384", "HS512", "none", "NONE", "rs256", ""] {
            let toml = format!("{ISSUER}algorithms = ['{algorithm}']\n");
            assert!(toml::from_str::<AuthSettings>(&toml).is_err(), "{algorithm}");
        }
    }
}
