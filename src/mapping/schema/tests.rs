use fhircast_gateway_adapter_api::Grammar;
use serde_json::Value;

use super::super::compile::keys;
use super::super::fhir::r4;
use super::super::testing::Notes;
use super::schema;

fn whole() -> Value {
    let grammars: [&dyn Grammar; 1] = [&Notes];
    schema(&grammars)
}

/// The names of an object's members, in order.
fn names(of: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = of.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_key_that_the_compiler_knows_is_in_the_schema_where_it_stands() {
    let schema = whole();
    for (place, keys) in [
        ("", keys::FILE.as_slice()),
        ("/properties/accept", &keys::ACCEPT),
        ("/properties/session", &keys::SESSION),
        ("/properties/event/items", &keys::EVENT),
        ("/properties/event/items/properties/session", &keys::SESSION),
        ("/properties/merge/items", &keys::MERGE),
        ("/properties/table/additionalProperties/anyOf/1/additionalProperties/anyOf/1", &keys::CODE),
    ] {
        let object = schema.pointer(place).unwrap();
        let mut expected = keys.to_vec();
        expected.sort_unstable();
        assert_eq!(names(&object["properties"]), expected, "{place}");
        assert_eq!(object["additionalProperties"], false, "{place}");
    }
    for key in keys::FILE {
        assert!(schema["properties"][key]["description"].is_string(), "the reference says nothing of {key}");
    }
}

#[test]
fn every_element_that_fhir_has_is_in_the_schema_of_its_type_with_its_codes() {
    let schema = whole();
    for name in
        ["Patient", "Encounter", "ImagingStudy", "DiagnosticReport", "HumanName-in-array", "Patient.contact-in-array"]
    {
        let described = r4().named(name.trim_end_matches("-in-array")).unwrap();
        let found = &schema["definitions"][name]["properties"];
        for element in r4().elements(described) {
            assert!(found[&element.name].is_object(), "{name} lacks {}", element.name);
        }
    }
    let gender = &schema["definitions"]["Patient"]["properties"]["gender"];
    assert_eq!(gender["anyOf"][0]["enum"], serde_json::json!(["male", "female", "other", "unknown", ""]));
    assert_eq!(schema["definitions"]["Patient"]["properties"]["name"]["description"], "HumanName, a list");
}

#[test]
fn every_reference_leads_to_a_definition() {
    let text = whole().to_string();
    let definitions = whole();
    for name in text.split("#/definitions/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(definitions["definitions"][name].is_object(), "{name}");
    }
}
