//! The configuration as .NET has it: texts by paths such as `AzureAd:ClientCredentials:0:SourceType`.
//!
//! The letter case of a path makes no difference. Its first spelling stays, as the name of a section.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// The values of all sources.
#[derive(Default)]
pub(super) struct Tree(Node);

#[derive(Default)]
struct Node {
    /// The part of the path as it was written first.
    name: String,
    given: Option<Given>,
    children: BTreeMap<Key, Self>,
}

struct Given {
    /// None is the `null` of a file, or an empty object.
    value: Option<String>,
    origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A variable whose name begins with `ASPNETCORE_`, `DOTNET_` after that: its name, and which of the two.
    Host {
        name: String,
        is_dotnet: bool,
    },
    /// A file and its place in the order of files.
    File {
        name: Arc<str>,
        order: u8,
    },
    /// A variable of the environment.
    Variable(String),
    Argument,
}

impl Origin {
    /// Which source wins: the one with the largest.
    pub(super) fn rank(&self) -> u16 {
        match self {
            Self::Host { is_dotnet, .. } => u16::from(*is_dotnet),
            Self::File { order, .. } => 2 + u16::from(*order),
            Self::Variable(_) => u16::MAX - 1,
            Self::Argument => u16::MAX,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { name, .. } | Self::Variable(name) => write!(f, "environment {name}"),
            Self::File { name, .. } => write!(f, "file {name}"),
            Self::Argument => f.write_str("command line"),
        }
    }
}

/// A part of a path, in the order of .NET's `ConfigurationKeyComparer`: numbers first, by their value.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u32, String),
    Name(String),
}

impl Key {
    fn of(part: &str) -> Self {
        let folded = fold(part);
        match part.parse() {
            Ok(number) => Self::Number(number, folded),
            Err(_) => Self::Name(folded),
        }
    }
}

/// A text in which letter case makes no difference, as for .NET's `OrdinalIgnoreCase`: character by
/// character, and no other letter becomes one of ASCII.
pub(super) fn fold(text: &str) -> String {
    let fold = |c: char| {
        if c.is_ascii() {
            return c.to_ascii_uppercase();
        }
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(upper), None) if !upper.is_ascii() => upper,
            _ => c,
        }
    };
    text.chars().map(fold).collect()
}

impl Tree {
    /// Takes the place of an earlier value of the same path. A path of more than [`MAX_PARTS`] is dropped: no
    /// setting has one.
    pub(super) fn set(&mut self, path: &str, value: Option<String>, origin: &Origin) {
        if path.split(SEPARATOR).nth(MAX_PARTS).is_some() {
            return;
        }
        let mut node = &mut self.0;
        for part in path.split(SEPARATOR) {
            node = node.children.entry(Key::of(part)).or_insert_with(|| Node {
                name: part.to_owned(),
                ..Node::default()
            });
        }
        let origin = origin.clone();
        node.given = Some(Given { value, origin });
    }

    pub(super) fn root(&self) -> Section<'_> {
        Section {
            path: String::new(),
            node: Some(&self.0),
        }
    }
}

/// What there is at a path and below: perhaps nothing.
#[derive(Clone)]
pub(super) struct Section<'a> {
    path: String,
    node: Option<&'a Node>,
}

impl<'a> Section<'a> {
    /// What is at this path below.
    pub(super) fn at(&self, path: &str) -> Self {
        let parts = path.split(SEPARATOR);
        let node = parts.fold(self.node, |node, part| node?.children.get(&Key::of(part)));
        Self {
            path: self.join(path),
            node,
        }
    }

    /// The path as it is looked for, which may be spelled otherwise than it was written.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path, as it was written first.
    pub(super) fn name(&self) -> &'a str {
        self.node.map_or("", |node| &node.name)
    }

    /// The value as it was written. None if there is none, or `null`.
    pub(super) fn raw(&self) -> Option<&'a str> {
        self.node?.given.as_ref()?.value.as_deref()
    }

    /// The value without white space around it. None if there is none, or a blank one.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.raw().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Where the value comes from, a blank one too.
    pub(super) fn origin(&self) -> Option<&'a Origin> {
        self.node?.given.as_ref().map(|given| &given.origin)
    }

    /// Whether there is anything here, or below, that is not blank.
    pub(super) fn is_given(&self) -> bool {
        self.text().is_some() || self.children().any(|child| child.is_given())
    }

    /// The first key from here on that has a value: it says where the section comes from.
    pub(super) fn first_given(&self) -> Option<Self> {
        if self.origin().is_some() {
            return Some(self.clone());
        }
        self.children().find_map(|child| child.first_given())
    }

    /// Whether anything was written here, or below, be it blank.
    pub(super) fn is_there(&self) -> bool {
        self.node.is_some()
    }

    /// Whether the last part of the path is a number, as that of an element of a list.
    pub(super) fn is_numbered(&self) -> bool {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        !self.name().is_empty() && self.name().bytes().all(is_digit)
    }

    /// The sections below: numbers first, in order.
    pub(super) fn children(&self) -> impl Iterator<Item = Self> {
        let children = self
            .node
            .into_iter()
            .flat_map(|node| node.children.values());
        children.map(|node| Self {
            path: self.join(&node.name),
            node: Some(node),
        })
    }

    fn join(&self, path: &str) -> String {
        match &*self.path {
            "" => path.to_owned(),
            above => format!("{above}{SEPARATOR}{path}"),
        }
    }
}

pub(super) const SEPARATOR: char = ':';

/// So that a tree is not deep: it is taken apart by recursion. The settings have at most 6.
pub(super) const MAX_PARTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(values: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, value) in values {
            tree.set(path, Some((*value).to_owned()), &Origin::Argument);
        }
        tree
    }

    #[test]
    fn letter_case_makes_no_difference_and_the_first_spelling_stays() {
        let tree = tree(&[
            ("DownstreamApis:Größe:Scopes:0", "a"),
            ("DOWNSTREAMAPIS:GRÖßE:scopes:0", "b"),
        ]);
        let apis = tree.root().at("downstreamapis");
        let names: Vec<_> = apis.children().map(|api| api.name()).collect();
        assert_eq!(names, ["Größe"]);
        assert_eq!(apis.at("größe:SCOPES:0").text(), Some("b"));
    }

    #[test]
    fn no_other_letter_is_one_of_ascii() {
        // The Kelvin sign, the long s, the dotless i.
        for (written, asked) in [("\u{212a}", "k"), ("\u{17f}", "s"), ("\u{131}", "i")] {
            let tree = tree(&[(written, "a")]);
            assert_eq!(tree.root().at(asked).text(), None, "{written}");
            assert_eq!(tree.root().at(written).text(), Some("a"));
        }
    }

    #[test]
    fn sources_are_in_the_order_of_dotnet() {
        let host = |is_dotnet| Origin::Host {
            name: String::new(),
            is_dotnet,
        };
        let file = |order| Origin::File {
            name: "f".into(),
            order,
        };
        let ranks = [
            host(false),
            host(true),
            file(0),
            file(1),
            file(u8::MAX),
            Origin::Variable(String::new()),
            Origin::Argument,
        ]
        .map(|origin| origin.rank());
        assert!(
            ranks.is_sorted_by(|earlier, later| earlier < later),
            "{ranks:?}"
        );
    }

    #[test]
    fn numbers_are_in_order_and_before_names() {
        let tree = tree(&[
            ("a:10", ""),
            ("a:b", ""),
            ("a:9", ""),
            ("a:A", ""),
            ("a:09", ""),
        ]);
        let section = tree.root().at("a");
        let names: Vec<_> = section.children().map(|child| child.name()).collect();
        assert_eq!(names, ["09", "9", "10", "A", "b"]);
    }

    #[test]
    fn a_null_takes_the_place_of_a_value_and_leaves_what_is_below() {
        let mut tree = tree(&[("a", "x"), ("a:b", "y")]);
        tree.set("a", None, &Origin::Argument);
        assert_eq!(tree.root().at("a").raw(), None);
        assert_eq!(tree.root().at("a:b").raw(), Some("y"));
    }

    #[test]
    fn a_blank_value_is_none_and_has_an_origin() {
        let tree = tree(&[("a", " \t"), ("b:c", "")]);
        let root = tree.root();
        assert_eq!(
            (root.at("a").text(), root.at("a").raw()),
            (None, Some(" \t"))
        );
        assert_eq!(root.at("a").origin(), Some(&Origin::Argument));
        assert!(!root.at("a").is_given() && !root.at("b").is_given());
        assert!(root.at("b").origin().is_none());
    }

    #[test]
    fn a_path_of_too_many_parts_is_dropped() {
        let long = vec!["a"; MAX_PARTS].join(":");
        let longer = format!("{long}:a");
        let tree = tree(&[(&long, "x"), (&longer, "y"), (&"a:".repeat(200_000), "z")]);
        assert_eq!(tree.root().at(&long).text(), Some("x"));
        assert_eq!(tree.root().at(&longer).text(), None);
    }
}
