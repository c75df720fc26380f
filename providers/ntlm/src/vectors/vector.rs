//! One vector: its inputs, and what is expected of them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use portable_sspi_core::SecretArray;
use serde_json::{Map, Value};

use crate::NegotiateFlags;

/// A vector. Keys ending in `_str` are text, other strings are bytes in hexadecimal or plain words.
#[derive(Clone, Debug)]
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) inputs: Map<String, Value>,
    pub(super) expected: Map<String, Value>,
    /// The inputs read so far.
    read: RefCell<BTreeSet<String>>,
}

impl Vector {
    pub(super) fn new(
        name: String,
        kind: String,
        inputs: Map<String, Value>,
        expected: Map<String, Value>,
    ) -> Self {
        Self { name, kind, inputs, expected, read: RefCell::default() }
    }

    /// Compares every expected value with the one computed. Signatures are compared under the vector's mask, if it has one.
    pub(super) fn compare(&self, computed: &Computed) -> Result<(), String> {
        let mask = match self.expected.get("signature_compare_mask") {
            Some(mask) => Some(bytes_of("signature_compare_mask", mask)?),
            None => None,
        };
        for (key, expected) in &self.expected {
            let Some(computed) = computed.0.get(key) else {
                return Err(format!("nothing computes `{key}`"));
            };
            let same = match &mask {
                Some(mask) => masked(key, computed, mask) == masked(key, expected, mask),
                None => computed == expected,
            };
            if !same {
                return Err(format!("`{key}` is\n    {computed}, expected\n    {expected}"));
            }
        }
        match self.inputs.keys().find(|key| !self.read.borrow().contains(*key)) {
            Some(unread) => Err(format!("nothing reads the input `{unread}`")),
            None => Ok(()),
        }
    }

    /// An input that may be absent or null.
    pub(super) fn optional(&self, key: &str) -> Option<&Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.inputs.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn input(&self, key: &str) -> Result<&Value, String> {
        self.optional(key).ok_or_else(|| format!("lacks the input `{key}`"))
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, String> {
        self.input(key)?.as_str().ok_or_else(|| format!("`{key}` is no text"))
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&str>, String> {
        self.optional(key)
            .map(|value| value.as_str().ok_or_else(|| format!("`{key}` is no text")))
            .transpose()
    }

    pub(super) fn number(&self, key: &str) -> Result<u64, String> {
        self.input(key)?.as_u64().ok_or_else(|| format!("`{key}` is no number"))
    }

    pub(super) fn boolean(&self, key: &str) -> Result<bool, String> {
        self.input(key)?.as_bool().ok_or_else(|| format!("`{key}` is neither true nor false"))
    }

    pub(super) fn bytes(&self, key: &str) -> Result<Vec<u8>, String> {
        bytes_of(key, self.input(key)?)
    }

    pub(super) fn optional_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.optional(key).map(|value| bytes_of(key, value)).transpose()
    }

    pub(super) fn array<const N: usize>(&self, key: &str) -> Result<[u8; N], String> {
        array_of(key, &self.bytes(key)?)
    }

    pub(super) fn secret(&self, key: &str) -> Result<SecretArray<16>, String> {
        self.array(key).map(SecretArray::new)
    }

    /// NegotiateFlags, which stand most significant digit first.
    pub(super) fn flags(&self, key: &str) -> Result<NegotiateFlags, String> {
        self.array(key).map(|bytes| NegotiateFlags::from_bits_retain(u32::from_be_bytes(bytes)))
    }
}

/// All that was computed of a vector: as much as the vector can expect, or more.
#[derive(Debug, Default)]
pub(super) struct Computed(Map<String, Value>);

impl Computed {
    pub(super) fn value(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// What was computed under that key.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(super) fn hex(self, key: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.value(key, hex::encode(bytes))
    }

    /// Nothing where there are no bytes: then no such value can be expected.
    pub(super) fn optional_hex(self, key: &str, bytes: Option<impl AsRef<[u8]>>) -> Self {
        match bytes {
            Some(bytes) => self.hex(key, bytes),
            None => self,
        }
    }

    pub(super) fn flags(self, key: &str, flags: NegotiateFlags) -> Self {
        self.hex(key, flags.bits().to_be_bytes())
    }
}

/// A value whose signatures (of as many bytes as the mask) are ANDed with the mask.
fn masked(key: &str, value: &Value, mask: &[u8]) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), masked(key, value, mask)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(|value| masked(key, value, mask)).collect::<Vec<_>>().into(),
        Value::String(text) if key == "signature" => match hex::decode(text) {
            Ok(bytes) if bytes.len() == mask.len() => {
                hex::encode(bytes.iter().zip(mask).map(|(byte, mask)| byte & mask).collect::<Vec<_>>()).into()
            }
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

pub(super) fn bytes_of(key: &str, value: &Value) -> Result<Vec<u8>, String> {
    value.as_str().and_then(|text| hex::decode(text).ok()).ok_or_else(|| format!("`{key}` is no byte string"))
}

pub(super) fn array_of<const N: usize>(key: &str, bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| format!("`{key}` has {} bytes, not {N}", bytes.len()))
}

/// Two values of one vector that must agree.
pub(super) fn agree(what: &str, one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> Result<(), String> {
    let (one, other) = (one.as_ref(), other.as_ref());
    if one == other {
        Ok(())
    } else {
        Err(format!("{what}: {} here, {} there", hex::encode(one), hex::encode(other)))
    }
}

/// An error of the crate, with the reason that only an audit log sees.
pub(super) fn explain(error: impl Into<portable_sspi_core::Error>) -> String {
    match error.into() {
        portable_sspi_core::Error::LogonDenied(denied) => denied.audit_reason().to_string(),
        error => error.to_string(),
    }
}
