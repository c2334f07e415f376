//! `Any`: an argument of whatever type, with binary data at any depth, for handlers that pass on what they get.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketio::Binary;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Any {
    Binary(Binary),
    List(Vec<Any>),
    Object(BTreeMap<String, Any>),
    Plain(Value),
}
