//! Claims, compared with a second reading of them.

use super::{Tree, is_so, lower_case};
use crate::admit::{
    facets::{Facet, Facets},
    principal::properties::expected_set,
    token::{
        claims::{Claims, read_claims},
        members::DECIDING,
        number::Number,
    },
};

/// Claims are admitted exactly if no deciding claim has the wrong type or another letter case, and each
/// is read as it is written. An informing claim of the wrong form counts as absent and is named.
pub(crate) fn claims(json: &[u8]) {
    let read = read_claims(json);
    if let Err(flaw) = &read {
        is_so(flaw, json);
    }
    let read = read.ok();
    let text = std::str::from_utf8(json).ok();
    let tree = text.and_then(Tree::of_object).filter(is_well_typed);
    assert_eq!(read.is_some(), tree.is_some());
    let (Some(read), Some(tree)) = (read, tree) else {
        return;
    };
    assert_eq!(Some(read.text), text);
    deciding(&read, &tree);
    let malformed = informing(&read, &tree);
    let names = read.malformed.iter().map(|wrong| wrong.name).collect();
    assert_eq!(sorted(names), sorted(malformed));
}

fn deciding(read: &Claims<'_>, tree: &Tree) {
    let text = |name| tree.get(name).and_then(Tree::text);
    assert_eq!(read.iss.as_deref(), text("iss"));
    assert_eq!(read.tid.as_deref(), text("tid"));
    assert_eq!(read.ver.as_deref(), text("ver"));
    assert_eq!(read.sub.as_deref(), text("sub"));
    assert_eq!(read.idtyp.as_deref(), text("idtyp"));
    let lower = |name| text(name).map(str::to_ascii_lowercase);
    assert_eq!(read.oid.map(|guid| guid.to_string()), lower("oid"));
    assert_eq!(read.azp.map(|guid| guid.to_string()), lower("azp"));
    assert_eq!(read.appid.map(|guid| guid.to_string()), lower("appid"));
    let client = match text("ver") {
        Some("1.0") => lower("appid"),
        _ => lower("azp"),
    };
    assert_eq!(read.client_id().map(|guid| guid.to_string()), client);
    for (read, name) in [(read.exp, "exp"), (read.nbf, "nbf"), (read.iat, "iat")] {
        assert_eq!(read.is_some(), tree.get(name).is_some());
        if let (Some(Number::Integer(read)), Some(Tree::Integer(expected))) = (read, tree.get(name))
        {
            assert_eq!(read, *expected);
        }
    }
    let aud = tree.get("aud").map_or_else(Vec::new, one_or_several);
    assert_eq!(read.aud, aud);
    // An empty, blank or `/` scope is none.
    let scp = text("scp").filter(|scp| !scp.split_whitespace().all(|scope| scope == "/"));
    assert_eq!(read.scp.as_deref(), scp);
    assert_eq!(read.has_scope(), scp.is_some());
    let roles = tree.get("roles").and_then(Tree::texts).unwrap_or_default();
    let blank = |role: &&&str| role.chars().all(char::is_whitespace);
    let roles: Vec<_> = roles.iter().filter(|role| !blank(role)).copied().collect();
    assert_eq!(read.roles, roles);
    assert_eq!(read.has_cnf, tree.get("cnf").is_some());
    let marks = ["nonce", "at_hash", "c_hash"];
    let is_marked = marks.iter().any(|name| tree.get(name).is_some());
    assert_eq!(read.has_id_token_mark, is_marked);
}

/// Returns the names of the claims that are present in the wrong form.
fn informing(read: &Claims<'_>, tree: &Tree) -> Vec<&'static str> {
    let mut malformed = Vec::new();
    let mut note = |name, is_read: bool| {
        if tree.get(name).is_some() && !is_read {
            malformed.push(name);
        }
    };

    let set = |name| tree.get(name).and_then(set_of);
    for (read, name) in [
        (&read.actor_facets, "xms_act_fct"),
        (&read.subject_facets, "xms_sub_fct"),
        (&read.tenant_facets, "xms_tnt_fct"),
    ] {
        let values = |facets: &Facets| facets.iter().map(Facet::value).collect();
        assert_eq!(read.as_ref().map(values), set(name), "{name}");
        note(name, read.is_some());
    }
    let relationships = read.relationships.as_ref();
    let values = relationships.map(|set| set.iter().map(|value| value.value()).collect());
    assert_eq!(values, set("xms_idrel"));
    note("xms_idrel", values.is_some());

    let text = |name| tree.get(name).and_then(Tree::text);
    for (read, name) in [
        (&read.azpacr, "azpacr"),
        (&read.appidacr, "appidacr"),
        (&read.idp, "idp"),
        (&read.uti, "uti"),
    ] {
        assert_eq!(read.as_deref(), text(name));
        note(name, read.is_some());
    }
    let blueprint = text("xms_par_app_azp").filter(|text| is_guid(text));
    let blueprint = blueprint.map(str::to_ascii_lowercase);
    assert_eq!(read.blueprint.map(|guid| guid.to_string()), blueprint);
    note("xms_par_app_azp", blueprint.is_some());
    let acct = match tree.get("acct") {
        Some(Tree::Integer(acct)) => Some(*acct),
        _ => None,
    };
    assert_eq!(read.acct, acct);
    note("acct", read.acct.is_some());

    for (read, name) in [
        (&read.acrs, "acrs"),
        (&read.xms_cc, "xms_cc"),
        (&read.groups, "groups"),
    ] {
        let expected = tree.get(name).map_or_else(Vec::new, one_or_several);
        assert_eq!(*read, expected);
        note(name, tree.get(name).is_some_and(is_one_or_several));
    }
    let names = tree.get("_claim_names").map_or(&[][..], Tree::members);
    let overage = names.iter().any(|(name, _)| name == "groups");
    let said = match tree.get("hasgroups") {
        Some(Tree::Bool(said)) => Some(*said),
        Some(tree) => tree.text().and_then(|text| text.parse().ok()),
        None => None,
    };
    assert_eq!(read.has_groups_overage, overage || said == Some(true));
    let is_object = |tree: &Tree| matches!(tree, Tree::Object(_));
    note(
        "_claim_names",
        tree.get("_claim_names").is_some_and(is_object),
    );
    note("hasgroups", said.is_some());
    malformed
}

fn is_well_typed(tree: &Tree) -> bool {
    let fits = |name, fits: &dyn Fn(&Tree) -> bool| tree.get(name).is_none_or(fits);
    let is_text = |tree: &Tree| tree.text().is_some();
    let is_guid = |tree: &Tree| tree.text().is_some_and(is_guid);
    let is_in_another_case = |name: &str| {
        DECIDING
            .iter()
            .any(|deciding| *deciding != name && *deciding == lower_case(name))
    };
    ["iss", "tid", "ver", "sub", "idtyp", "scp"]
        .iter()
        .all(|name| fits(name, &is_text))
        && ["oid", "azp", "appid"]
            .iter()
            .all(|name| fits(name, &is_guid))
        && ["exp", "nbf", "iat"]
            .iter()
            .all(|name| fits(name, &Tree::is_number))
        && fits("aud", &is_one_or_several)
        && fits("roles", &|tree| tree.texts().is_some())
        && fits("cnf", &|tree| matches!(tree, Tree::Object(_)))
        && !tree
            .members()
            .iter()
            .any(|(name, _)| is_in_another_case(name))
}

fn one_or_several(tree: &Tree) -> Vec<&str> {
    match tree.text() {
        Some(text) => vec![text],
        None => tree.texts().unwrap_or_default(),
    }
}

fn is_one_or_several(tree: &Tree) -> bool {
    tree.text().is_some() || tree.texts().is_some()
}

/// A set of integers: a text, a list of texts and integers, or one integer.
fn set_of(tree: &Tree) -> Option<Vec<u32>> {
    let part = |tree: &Tree| match tree {
        Tree::Text(text) => Some(text.clone()),
        Tree::Integer(integer) => Some(integer.to_string()),
        _ => None,
    };
    match tree {
        Tree::List(items) => {
            let parts: Option<Vec<String>> = items.iter().map(part).collect();
            expected_set(&parts?.join(" "))
        }
        other => expected_set(&part(other)?),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups
            .concat()
            .chars()
            .all(|digit| digit.is_ascii_hexdigit())
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}
