//! Finds the places where a source file could be wrong, and writes a file that can be wrong at each.

use proc_macro2::Span;
use syn::{
    AttrStyle, Attribute, BinOp, Block, Expr, Local, Pat, ReturnType, Signature, Stmt, UnOp,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::defaults;

/// One way to be wrong.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub number: u32,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub function: String,
    pub what: String,
}

impl Mutant {
    /// The same as long as the source file is the same.
    pub fn key(&self) -> String {
        let Self {
            file, line, column, ..
        } = self;
        format!("{file}:{line}:{column} {}", self.what)
    }

    /// The same as long as the function and what it has there are the same.
    pub fn lasting_key(&self) -> String {
        format!("{} {} {}", self.file, self.function, self.what)
    }
}

/// The edits of one place, and the mutants that they bring: they stay or go together.
#[derive(Debug)]
pub struct Group {
    pub mutants: Vec<Mutant>,
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    start: usize,
    end: usize,
    is_close: bool,
    text: String,
}

/// A file that was rewritten, and where each group is in it.
pub struct Rewritten {
    pub text: String,
    pub places: Vec<(usize, usize)>,
}

/// The groups of a file. `ground` is the path of the module that says which mutant is on.
pub fn groups(
    file: &str,
    text: &str,
    ground: &str,
    bounds: &[String],
    next: &mut u32,
) -> syn::Result<Vec<Group>> {
    let parsed = syn::parse_file(text)?;
    let mut finder = Finder {
        file,
        text,
        ground,
        bounds,
        next,
        groups: Vec::new(),
        functions: Vec::new(),
    };
    finder.visit_file(&parsed);
    Ok(finder.groups)
}

/// The file with the edits of these groups.
pub fn rewrite(text: &str, groups: &[&Group]) -> Rewritten {
    let mut edits = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for edit in &group.edits {
            let at_signed = isize::try_from(at).expect("a file has few groups");
            let rank = match edit.is_close {
                true => (0, -at_signed),
                false => (1, at_signed),
            };
            edits.push((edit.start, rank, at, edit));
        }
    }
    edits.sort_by_key(|(start, rank, ..)| (*start, *rank));
    let mut result = String::with_capacity(text.len() * 2);
    let mut places = vec![(usize::MAX, 0); groups.len()];
    let mut done = 0;
    for (start, _, at, edit) in edits {
        result.push_str(&text[done..start]);
        let place = &mut places[at];
        place.0 = place.0.min(result.len());
        result.push_str(&edit.text);
        place.1 = place.1.max(result.len());
        done = edit.end;
    }
    result.push_str(&text[done..]);
    Rewritten {
        text: result,
        places,
    }
}

/// The names of the constants of a file that are a number or a time.
pub fn bounds(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub").map_or(line, |rest| {
            rest.split_once("const ")
                .map_or(rest, |(visibility, _)| &rest[visibility.len()..])
        });
        let (name, ty) = line.strip_prefix("const ")?.split_once(": ")?;
        let (ty, _) = ty.split_once(" =")?;
        let types = [
            "u8", "u16", "u32", "u64", "u128", "usize", "i32", "i64", "Duration",
        ];
        types.contains(&ty).then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

struct Finder<'t> {
    file: &'t str,
    text: &'t str,
    ground: &'t str,
    bounds: &'t [String],
    next: &'t mut u32,
    groups: Vec<Group>,
    functions: Vec<String>,
}

impl Finder<'_> {
    /// Begins a group of so many mutants at this place.
    fn group(&mut self, span: Span, whats: Vec<String>) -> (usize, Vec<u32>) {
        let start = span.start();
        let mut numbers = Vec::new();
        let mut mutants = Vec::new();
        for what in whats {
            numbers.push(*self.next);
            mutants.push(Mutant {
                number: *self.next,
                file: self.file.to_owned(),
                line: start.line,
                column: start.column + 1,
                function: self.functions.join("::"),
                what,
            });
            *self.next += 1;
        }
        self.groups.push(Group {
            mutants,
            edits: Vec::new(),
        });
        (self.groups.len() - 1, numbers)
    }

    fn edit(&mut self, group: usize, start: usize, end: usize, is_close: bool, text: String) {
        self.groups[group].edits.push(Edit {
            start,
            end,
            is_close,
            text,
        });
    }

    fn wrap(&mut self, group: usize, span: Span, open: impl Into<String>, close: String) {
        let range = span.byte_range();
        self.edit(group, range.start, range.start, false, open.into());
        self.edit(group, range.end, range.end, true, close);
    }

    fn shown(&self, span: Span) -> String {
        let text = &self.text[span.byte_range()];
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        match text.char_indices().nth(70) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }

    fn is(&self, number: u32) -> String {
        format!("{}::is({number})", self.ground)
    }

    /// A condition that is always true or always false.
    fn fixed(&mut self, condition: &Expr, values: &[bool]) {
        let shown = self.shown(condition.span());
        let whats = values.iter().map(|value| format!("`{shown}` → {value}"));
        let (group, numbers) = self.group(condition.span(), whats.collect());
        let (mut open, mut close) = ("(".to_owned(), ")".to_owned());
        for (value, number) in values.iter().zip(numbers) {
            open.insert(0, '(');
            close += &match value {
                true => format!(" || {})", self.is(number)),
                false => format!(" && !{})", self.is(number)),
            };
        }
        self.wrap(group, condition.span(), open, close);
    }

    /// A truth that is turned round.
    fn turned(&mut self, expression: &Expr) {
        let what = format!("not `{}`", self.shown(expression.span()));
        let (group, numbers) = self.group(expression.span(), vec![what]);
        let close = format!(") != {})", self.is(numbers[0]));
        self.wrap(group, expression.span(), "((", close);
    }

    /// A condition, perhaps a chain with `let`. `values` are what it is replaced by as a whole.
    fn condition(&mut self, condition: &Expr, values: &[bool]) {
        if has_let(condition) {
            self.chain(condition);
            return;
        }
        self.fixed(condition, values);
        self.covered(condition);
    }

    fn chain(&mut self, condition: &Expr) {
        match condition {
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) && has_let(condition) => {
                self.chain(&binary.left);
                self.chain(&binary.right);
            }
            Expr::Let(inner) => self.visit_expr(&inner.expr),
            plain => {
                self.fixed(plain, &[true, false]);
                self.covered(plain);
            }
        }
    }

    /// What is inside an expression that was itself replaced by `true` and by `false`.
    fn covered(&mut self, expression: &Expr) {
        match expression {
            Expr::Binary(binary) if matches!(binary.op, BinOp::Eq(_) | BinOp::Ne(_)) => {
                visit::visit_expr_binary(self, binary);
            }
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => {
                self.operands(binary);
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                self.visit_expr(&unary.expr);
            }
            Expr::Paren(paren) => self.covered(&paren.expr),
            other => self.visit_expr(other),
        }
    }

    /// Each operand of `&&` is left out, and of `||`.
    fn operands(&mut self, binary: &syn::ExprBinary) {
        let value = matches!(binary.op, BinOp::And(_));
        for operand in [&*binary.left, &*binary.right] {
            match operand {
                Expr::Binary(inner)
                    if matches!(inner.op, BinOp::And(_)) && value
                        || matches!(inner.op, BinOp::Or(_)) && !value =>
                {
                    self.operands(inner);
                }
                operand => {
                    self.fixed(operand, &[value]);
                    self.covered(operand);
                }
            }
        }
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, body: &Block) {
        if is_left_out(attributes) || signature.constness.is_some() {
            return;
        }
        self.functions.push(signature.ident.to_string());
        let has_inner = attributes
            .iter()
            .any(|attribute| matches!(attribute.style, AttrStyle::Inner(_)));
        if !has_inner && signature.ident != "main" && !body.stmts.is_empty() {
            self.early_return(signature, body);
        }
        visit::visit_block(self, body);
        self.functions.pop();
    }

    fn early_return(&mut self, signature: &Signature, body: &Block) {
        let takes_self = matches!(&signature.inputs.first(), Some(syn::FnArg::Receiver(receiver)) if receiver.reference.is_none());
        let inside = self.shown(body.span());
        let inside = inside
            .trim_start_matches('{')
            .trim_end_matches('}')
            .trim()
            .to_owned();
        let open = body.brace_token.span.open();
        for value in defaults::of_return(&signature.output, takes_self) {
            if inside == value {
                continue;
            }
            let what = match (&signature.output, value.as_str()) {
                (ReturnType::Default, _) => "the body → ()".to_owned(),
                (_, value) => format!("the body → {value}"),
            };
            let (group, numbers) = self.group(signature.ident.span(), vec![what]);
            let text = format!(" if {} {{ return {value}; }}", self.is(numbers[0]));
            let at = open.byte_range().end;
            self.edit(group, at, at, false, text);
        }
    }

    fn binary(&mut self, binary: &syn::ExprBinary) {
        let span = binary.span();
        let shown = self.shown(span);
        let two = |other: &str, more: &str| {
            vec![
                format!("`{shown}` with {other}"),
                format!("`{shown}` with {more}"),
            ]
        };
        let one = |other: &str| vec![format!("`{shown}` with {other}")];
        let (name, whats, is_by_reference) = match binary.op {
            BinOp::Lt(_) => ("less", two("<=", ">"), true),
            BinOp::Le(_) => ("at_most", two("<", ">"), true),
            BinOp::Gt(_) => ("more", two(">=", "<"), true),
            BinOp::Ge(_) => ("at_least", two(">", "<"), true),
            BinOp::Add(_) => ("plus", one("-"), false),
            BinOp::Sub(_) => ("minus", one("+"), false),
            BinOp::Mul(_) => ("times", one("/"), false),
            BinOp::Div(_) => ("over", one("*"), false),
            BinOp::AddAssign(_) => ("add_to", one("-="), false),
            BinOp::SubAssign(_) => ("take_from", one("+="), false),
            BinOp::MulAssign(_) => ("multiply", one("/="), false),
            BinOp::DivAssign(_) => ("divide", one("*="), false),
            _ => return,
        };
        let is_assign = matches!(name, "add_to" | "take_from" | "multiply" | "divide");
        let (left, right) = match (is_by_reference, is_assign) {
            (true, _) => ("&(", "&("),
            (_, true) => ("&mut (", "("),
            _ => ("(", "("),
        };
        let (group, numbers) = self.group(span, whats);
        let open = format!("{}::{name}({}, {left}", self.ground, numbers[0]);
        let range = span.byte_range();
        let operator = binary.op.span().byte_range();
        self.edit(group, range.start, range.start, false, open);
        let between = format!("), {right}");
        self.edit(group, operator.start, operator.end, false, between);
        self.edit(group, range.end, range.end, true, "))".to_owned());
    }

    fn swapped(&mut self, binary: &syn::ExprBinary) {
        let span = binary.span();
        let other = match binary.op {
            BinOp::And(_) => "||",
            _ => "&&",
        };
        let what = format!("`{}` with {other}", self.shown(span));
        let (group, numbers) = self.group(span, vec![what]);
        let is = self.is(numbers[0]);
        let (left, right) = (
            binary.left.span().byte_range(),
            binary.right.span().byte_range(),
        );
        let turned = format!(") != {is})");
        self.edit(group, left.start, left.start, false, "((((".to_owned());
        self.edit(group, left.end, left.end, true, turned.clone());
        self.edit(group, right.start, right.start, false, "((".to_owned());
        let close = format!("{turned}) != {is})");
        self.edit(group, right.end, right.end, true, close);
    }

    fn bound(&mut self, expression: &Expr) {
        let span = expression.span();
        let shown = self.shown(span);
        let whats = vec![format!("more than {shown}"), format!("less than {shown}")];
        let (group, numbers) = self.group(span, whats);
        let open = format!("{}::bound({}, ", self.ground, numbers[0]);
        self.wrap(group, span, open, ")".to_owned());
    }

    /// `a.min(b)` without the bound.
    fn capped(&mut self, call: &syn::ExprMethodCall) {
        let span = call.span();
        let (group, numbers) = self.group(span, vec![format!("`{}` without", self.shown(span))]);
        let range = span.byte_range();
        let open = format!("{}::{}({}, ", self.ground, call.method, numbers[0]);
        self.edit(group, range.start, range.start, false, open);
        let dot = call.dot_token.span().byte_range().start;
        let parenthesis = call.paren_token.span.open().byte_range().end;
        self.edit(group, dot, parenthesis, false, ", ".to_owned());
    }

    fn arms(&mut self, matched: &syn::ExprMatch) {
        let has_rest = matched.arms.last().is_some_and(|arm| {
            // A name in capitals is a variant or a constant.
            let is_name = |name: &syn::PatIdent| {
                name.ident.to_string().starts_with(char::is_lowercase) && name.subpat.is_none()
            };
            let takes_all = match &arm.pat {
                Pat::Wild(_) => true,
                Pat::Ident(name) => is_name(name),
                _ => false,
            };
            arm.guard.is_none() && takes_all
        });
        let last = matched.arms.len().saturating_sub(1);
        for (at, arm) in matched.arms.iter().enumerate() {
            if is_left_out(&arm.attrs) {
                continue;
            }
            match &arm.guard {
                Some((_, guard)) => self.condition(guard, &[true, false]),
                None if has_rest && at < last => {
                    let what = format!("without the arm `{}`", self.shown(arm.pat.span()));
                    let (group, numbers) = self.group(arm.pat.span(), vec![what]);
                    let text = format!(" if !{}", self.is(numbers[0]));
                    let end = arm.pat.span().byte_range().end;
                    self.edit(group, end, end, true, text);
                }
                None => {}
            }
            self.visit_expr(&arm.body);
        }
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_left_out(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let shows = item.trait_.as_ref().is_some_and(|(_, path, _)| {
            path.segments
                .last()
                .is_some_and(|last| last.ident == "Debug" || last.ident == "Display")
        });
        if is_left_out(&item.attrs) || shows {
            return;
        }
        let range = item.self_ty.span().byte_range();
        self.functions.push(self.text[range].to_owned());
        visit::visit_item_impl(self, item);
        self.functions.pop();
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.attrs, &item.sig, body);
        }
    }

    fn visit_item_const(&mut self, _: &'a syn::ItemConst) {}

    fn visit_item_static(&mut self, _: &'a syn::ItemStatic) {}

    fn visit_impl_item_const(&mut self, _: &'a syn::ImplItemConst) {}

    fn visit_trait_item_const(&mut self, _: &'a syn::TraitItemConst) {}

    fn visit_item_enum(&mut self, _: &'a syn::ItemEnum) {}

    fn visit_pat(&mut self, _: &'a Pat) {}

    fn visit_type(&mut self, _: &'a syn::Type) {}

    fn visit_generics(&mut self, _: &'a syn::Generics) {}

    fn visit_path_arguments(&mut self, _: &'a syn::PathArguments) {}

    fn visit_angle_bracketed_generic_arguments(
        &mut self,
        _: &'a syn::AngleBracketedGenericArguments,
    ) {
    }

    fn visit_attribute(&mut self, _: &'a Attribute) {}

    fn visit_local(&mut self, local: &'a Local) {
        if !is_left_out(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement
            && let Expr::Try(_)
            | Expr::MethodCall(_)
            | Expr::Call(_)
            | Expr::Assign(_)
            | Expr::Await(_) = expression
        {
            let what = format!("without `{}`", self.shown(expression.span()));
            let (group, numbers) = self.group(expression.span(), vec![what]);
            let open = format!("if !{} {{ ", self.is(numbers[0]));
            self.wrap(group, statement.span(), open, " }".to_owned());
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Binary(binary) => match binary.op {
                BinOp::Eq(_) | BinOp::Ne(_) => {
                    self.turned(expression);
                    visit::visit_expr_binary(self, binary);
                }
                BinOp::And(_) if has_let(expression) => self.chain(expression),
                BinOp::And(_) | BinOp::Or(_) => {
                    self.swapped(binary);
                    self.operands(binary);
                }
                _ => {
                    self.binary(binary);
                    visit::visit_expr_binary(self, binary);
                }
            },
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                self.turned(expression);
                self.visit_expr(&unary.expr);
            }
            Expr::If(branch) => {
                self.condition(&branch.cond, &[true, false]);
                self.visit_block(&branch.then_branch);
                if let Some((_, rest)) = &branch.else_branch {
                    self.visit_expr(rest);
                }
            }
            Expr::While(repeated) => {
                self.condition(&repeated.cond, &[false]);
                self.visit_block(&repeated.body);
            }
            Expr::Match(matched) => {
                let is_bool = |arm: &syn::Arm| matches!(&arm.pat, Pat::Lit(literal) if matches!(literal.lit, syn::Lit::Bool(_)));
                match matched.arms.iter().any(is_bool) {
                    true => self.condition(&matched.expr, &[true, false]),
                    false => self.visit_expr(&matched.expr),
                }
                self.arms(matched);
            }
            Expr::MethodCall(call) => {
                let name = call.method.to_string();
                if matches!(name.as_str(), "min" | "max") && call.args.len() == 1 {
                    self.capped(call);
                }
                match name.as_str() {
                    "then" | "then_some" => self.condition(&call.receiver, &[true, false]),
                    _ => self.visit_expr(&call.receiver),
                }
                for argument in &call.args {
                    match argument {
                        Expr::Closure(closure)
                            if JUDGES.contains(&name.as_str())
                                && !matches!(&*closure.body, Expr::Block(_)) =>
                        {
                            self.fixed(&closure.body, &[true, false]);
                            self.covered(&closure.body);
                        }
                        argument => self.visit_expr(argument),
                    }
                }
            }
            Expr::Call(call) => {
                let text = self.shown(call.func.span());
                if text.starts_with("Duration::from_") {
                    self.bound(expression);
                }
                call.args
                    .iter()
                    .for_each(|argument| self.visit_expr(argument));
            }
            Expr::Path(path) => {
                let last = path.path.segments.last();
                let name = last.map(|last| last.ident.to_string()).unwrap_or_default();
                if self.bounds.contains(&name) {
                    self.bound(expression);
                }
            }
            Expr::Struct(literal) => {
                for field in &literal.fields {
                    if field.colon_token.is_some() {
                        self.visit_expr(&field.expr);
                    }
                }
                if let Some(rest) = &literal.rest {
                    self.visit_expr(rest);
                }
            }
            Expr::Repeat(repeat) => self.visit_expr(&repeat.expr),
            Expr::Let(inner) => self.visit_expr(&inner.expr),
            Expr::Const(_) | Expr::Macro(_) => {}
            other => visit::visit_expr(self, other),
        }
    }
}

/// Methods whose closure decides something.
const JUDGES: [&str; 16] = [
    "all",
    "any",
    "filter",
    "find",
    "is_err_and",
    "is_none_or",
    "is_ok_and",
    "is_some_and",
    "map_while_is",
    "position",
    "retain",
    "skip_while",
    "take_if",
    "take_while",
    "trim_end_matches",
    "trim_start_matches",
];

fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            has_let(&binary.left) || has_let(&binary.right)
        }
        _ => false,
    }
}

/// What only tests see, or only builds without a feature.
fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("test") {
            return true;
        }
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        let text = list.tokens.to_string().replace(' ', "");
        let negated = text.starts_with("not");
        path.is_ident("cfg")
            && (["test", "any(test", "all(test"]
                .iter()
                .any(|start| text.starts_with(start))
                || text.starts_with("doc")
                || negated && text.contains("feature")
                || !negated && (text.contains("shuttle") || text.contains("fuzzing")))
    })
}
