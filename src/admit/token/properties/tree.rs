//! The other reader of JSON: serde_json builds the whole tree, and repeated names and depth, which
//! serde_json allows, are looked for afterwards.

use std::{collections::BTreeSet, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value as serde_json reads it, with every member in its order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Integer(i64),
    /// Also a whole number beyond `i64`, and `-0`.
    Fraction(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// One object, with no member twice in any object in it, and at most 32 deep.
    pub(crate) fn of_object(text: &str) -> Option<Self> {
        let tree: Self = serde_json::from_str(text).ok()?;
        let fits = matches!(tree, Self::Object(_)) && tree.depth() <= 32 && !tree.has_repeats();
        fits.then_some(tree)
    }

    /// The member of this name, if this is an object that has one.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let members = self.members().iter();
        let mut values = members.filter_map(|(own, value)| (own == name).then_some(value));
        values.next()
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Fraction(_))
    }

    /// A list of nothing but texts.
    pub(crate) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(items) => items.iter().map(Self::text).collect(),
            _ => None,
        }
    }

    fn inner(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::List(items) => Box::new(items.iter()),
            Self::Object(members) => Box::new(members.iter().map(|(_, value)| value)),
            _ => Box::new(std::iter::empty()),
        }
    }

    pub(super) fn depth(&self) -> usize {
        let deepest = self.inner().map(Self::depth).max().unwrap_or_default();
        match self {
            Self::List(_) | Self::Object(_) => deepest + 1,
            _ => 0,
        }
    }

    pub(super) fn has_repeats(&self) -> bool {
        let mut names = BTreeSet::new();
        let here = !self.members().iter().all(|(name, _)| names.insert(name));
        here || self.inner().any(Self::has_repeats)
    }
}

impl<'j> Deserialize<'j> for Tree {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Planter)
    }
}

struct Planter;

impl<'j> Visitor<'j> for Planter {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss)]
        let fraction = || Tree::Fraction(number as f64);
        Ok(i64::try_from(number).map_or_else(|_| fraction(), Tree::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}
