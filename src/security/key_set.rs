//! An issuer's public keys, as its key set lists them (RFC 7517).

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::SignatureAlgorithm;

/// The public keys of one issuer.
pub(super) struct KeySet(Vec<PublicKey>);

struct PublicKey {
    /// `kid`
    id: Option<String>,
    /// `kty` and `crv`
    key_type: (String, Option<String>),
    /// `alg`: where it is given, the key is for that one only.
    algorithm: Option<String>,
    key: DecodingKey,
}

/// Why an answer is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("its answer is no JSON Web Key Set")]
    Form,
    #[error("it lists more than {MOST_KEYS} keys")]
    TooMany,
    #[error("none of its keys verifies signatures")]
    Useless,
}

const MOST_KEYS: usize = 100;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// The keys that `body` lists; what does not verify signatures is left out.
    ///
    /// # Errors
    /// When `body` is no key set, too large a one, or without any key that is of use.
    pub(super) fn parse(body: &[u8]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(body).map_err(|_| KeySetError::Form)?;
        if document.keys.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<PublicKey> = document.keys.iter().filter_map(PublicKey::read).collect();
        if keys.is_empty() { Err(KeySetError::Useless) } else { Ok(Self(keys)) }
    }

    /// The one key called `id` that fits `algorithm`; without an id, the only one that fits. Where several do, it is for
    /// the issuer to say which, and none is tried.
    pub(super) fn find(&self, id: Option<&str>, algorithm: SignatureAlgorithm) -> Option<&DecodingKey> {
        let named = |key: &&PublicKey| id.is_none() || key.id.as_deref() == id;
        let mut fitting = self.0.iter().filter(named).filter(|key| key.fits(algorithm));
        let key = fitting.next()?;
        fitting.next().is_none().then_some(&key.key)
    }
}

impl PublicKey {
    fn read(value: &Value) -> Option<Self> {
        if !verifies(value) {
            return None;
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let key = match text("kty")? {
            "RSA" => DecodingKey::from_rsa_components(text("n")?, text("e")?),
            "EC" => DecodingKey::from_ec_components(text("x")?, text("y")?),
            "OKP" => DecodingKey::from_ed_components(text("x")?),
            _ => return None,
        };
        let owned = |name: &str| text(name).map(str::to_owned);
        let key_type = (owned("kty")?, owned("crv"));
        Some(Self { id: owned("kid"), key_type, algorithm: owned("alg"), key: key.ok()? })
    }

    fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        let (key_type, curve) = algorithm.key_type();
        self.key_type.0 == key_type
            && curve.is_none_or(|curve| self.key_type.1.as_deref() == Some(curve))
            && self.algorithm.as_deref().is_none_or(|own| own == algorithm.name())
    }
}

/// Whether `use` and `key_ops`, where given, allow to verify with it (RFC 7517 sections 4.2 and 4.3).
fn verifies(value: &Value) -> bool {
    let use_allows = value.get("use").is_none_or(|usage| usage == "sig");
    let names_verify = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    use_allows && value.get("key_ops").is_none_or(names_verify)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(extra: &Value) -> Value {
        let mut key = json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"});
        key.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        key
    }

    fn set(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_is_found_by_its_id_and_only_for_what_it_is_for() {
        use SignatureAlgorithm::{Es256, Es384, Rs256};
        let keys = set(&[
            key(&json!({"kid": "a"})),
            key(&json!({"kid": "b", "alg": "ES384"})),
            key(&json!({"kid": "c", "use": "enc"})),
            key(&json!({"kid": "d", "key_ops": ["sign"]})),
            key(&json!({"kid": "e", "key_ops": ["verify"], "use": "sig", "alg": "ES256"})),
            json!({"kty": "oct", "kid": "f", "k": "AAAA"}),
            json!({"kty": "unheard-of", "kid": "g"}),
            json!(7),
        ])
        .unwrap();
        let found = |id, algorithm| keys.find(Some(id), algorithm).is_some();
        assert!(found("a", Es256) && found("e", Es256));
        assert!(!found("a", Es384) && !found("a", Rs256) && !found("b", Es256) && !found("b", Es384));
        assert!(["c", "d", "f", "g", "", "A", "../a"].into_iter().all(|id| !found(id, Es256)));
        assert!(keys.find(None, Es256).is_none(), "several fit");
        assert!(set(&[key(&json!({"kid": "a"}))]).unwrap().find(None, Es256).is_some());
    }

    #[test]
    fn what_is_no_key_set_or_too_large_a_one_is_refused() {
        assert_eq!(set(&vec![key(&json!({})); MOST_KEYS + 1]).err(), Some(KeySetError::TooMany));
        assert_eq!(set(&[]).err(), Some(KeySetError::Useless));
        assert!(set(&vec![key(&json!({"kid": "a"})); 2]).unwrap().find(Some("a"), SignatureAlgorithm::Es256).is_none());
        for body in ["", "[]", "<html>", r#"{"keys":{}}"#, r#"{"error":"busy"}"#] {
            assert_eq!(KeySet::parse(body.as_bytes()).err(), Some(KeySetError::Form), "{body}");
        }
    }
}
