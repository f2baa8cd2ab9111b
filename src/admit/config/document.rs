//! A configuration as an object of a document, by serde.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use super::{
    EntraConfig,
    given::{Given, Meaning, Name, Setting, Source, Value, meaning},
    read::Settings,
};
use crate::config_error::ConfigError;

/// Reads an object with the settings of the [type](Self). An array in its place is refused.
impl<'de> Deserialize<'de> for EntraConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = deserializer.deserialize_map(ObjectVisitor)?;
        Settings::read(&object.given, Source::Document, object.problems)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// What an object holds.
#[derive(Default)]
struct Object {
    given: Vec<Given>,
    problems: Vec<ConfigError>,
    seen: Vec<(Setting, Name)>,
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings of the section AzureAd")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        while let Some(written) = map.next_key::<String>()? {
            let name = Name::of(&written);
            match meaning(&written) {
                Meaning::Setting(setting) => object.note(setting, &name, map.next_value()?),
                Meaning::NotRead => {
                    map.next_value::<IgnoredAny>()?;
                }
                Meaning::Refused(problem) => {
                    map.next_value::<IgnoredAny>()?;
                    object.problems.push(name.problem(problem));
                }
            }
        }
        Ok(object)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Text(String),
    Flag(bool),
    List(Vec<Element>),
    Null(()),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Text(String),
    Other(IgnoredAny),
}

impl Object {
    fn note(&mut self, setting: Setting, name: &Name, raw: Raw) {
        let earlier = self.seen.iter().find(|(seen, _)| *seen == setting);
        if let Some((_, earlier)) = earlier {
            let problem = format!("is set twice, first as {}", earlier.as_str());
            self.add(setting, name, None, Err(problem));
            return;
        }
        self.seen.push((setting, name.clone()));
        match raw {
            Raw::Text(text) => self.add(setting, name, None, Value::text(&text)),
            Raw::Flag(flag) if setting == Setting::AuthorizationByAcl => {
                self.add(setting, name, None, Ok(Value::Flag(flag)));
            }
            Raw::List(elements) if setting.is_list() => {
                for (index, element) in elements.into_iter().enumerate() {
                    let value = match element {
                        Element::Text(text) => Value::text(&text),
                        Element::Other(_) => Err("has a value that is no text".to_owned()),
                    };
                    self.add(setting, name, Some(index), value);
                }
            }
            Raw::Null(()) => {}
            Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => {
                let problem = match setting {
                    Setting::AuthorizationByAcl => "must be true or false",
                    _ if setting.is_list() => "must be a text or a list of texts",
                    _ => "must be one text",
                };
                self.add(setting, name, None, Err(problem.to_owned()));
            }
        }
    }

    fn add(
        &mut self,
        setting: Setting,
        name: &Name,
        index: Option<usize>,
        value: Result<Value, String>,
    ) {
        let value = value.unwrap_or_else(|problem| {
            self.problems.push(name.problem(problem));
            Value::Bad
        });
        self.given.push(Given {
            setting,
            name: name.clone(),
            index,
            value,
            is_from_file: false,
        });
    }
}
