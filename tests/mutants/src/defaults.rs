//! What a function could return without doing its work.

use syn::{GenericArgument, PathArguments, ReturnType, Type};

/// Expressions of this type, as text; empty for `()`.
pub fn of_return(output: &ReturnType, takes_self: bool) -> Vec<String> {
    match output {
        ReturnType::Default => vec![String::new()],
        ReturnType::Type(_, ty) if is_self(ty) && takes_self => vec!["self".to_owned()],
        ReturnType::Type(_, ty) => of(ty),
    }
}

fn is_self(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("Self"))
}

fn of(ty: &Type) -> Vec<String> {
    let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => all(&["()"]),
        Type::Tuple(tuple) => {
            let parts: Option<Vec<String>> = tuple
                .elems
                .iter()
                .map(|ty| of(ty).into_iter().next())
                .collect();
            parts.map_or(Vec::new(), |parts| vec![format!("({})", parts.join(", "))])
        }
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => all(&["\"\"", "\"xyzzy\""]),
            Type::Slice(_) => all(&["&[]"]),
            _ => Vec::new(),
        },
        Type::Paren(inner) => of(&inner.elem),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else {
                return Vec::new();
            };
            let name = last.ident.to_string();
            let inner = || -> Vec<String> {
                match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => arguments
                        .args
                        .iter()
                        .find_map(|argument| match argument {
                            GenericArgument::Type(ty) => Some(of(ty)),
                            _ => None,
                        })
                        .unwrap_or_default(),
                    _ => vec!["Default::default()".to_owned()],
                }
            };
            let within = |start: &str| -> Vec<String> {
                let inner = inner().into_iter();
                inner.map(|inner| format!("{start}({inner})")).collect()
            };
            match name.as_str() {
                "bool" => all(&["true", "false"]),
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => all(&["0", "1"]),
                "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => all(&["0", "1", "-1"]),
                "f32" | "f64" => all(&["0.0", "1.0"]),
                "String" => all(&["String::new()", "\"xyzzy\".into()"]),
                "Vec" => all(&["Vec::new()"]),
                "Duration" => all(&["std::time::Duration::ZERO"]),
                "Option" => [vec!["None".to_owned()], within("Some")].concat(),
                "Result" => within("Ok"),
                "Poll" => within("std::task::Poll::Ready"),
                _ => all(&["Default::default()"]),
            }
        }
        _ => Vec::new(),
    }
}
