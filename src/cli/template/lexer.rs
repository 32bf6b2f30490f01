//! Text and actions apart, actions into tokens.

use super::{Result, error};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Text(String),
    /// `{{` and `}}` around one action's tokens.
    Open,
    Close,
    /// `.Name`, `.Name.Other` is two of them; `.` alone is empty.
    Field(String),
    Variable(String),
    Word(String),
    String(String),
    Number(f64),
    Pipe,
    Left,
    Right,
    Assign,
    Comma,
    /// A blank: `.A.B` is one operand, `.A .B` are two.
    Space,
}

pub(super) fn lex(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some(start) = rest.find("{{") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        let trim = after.starts_with("- ") || after.starts_with("-\n");
        push_text(&mut tokens, before, trim_next, trim);
        let Some(end) = action_end(after) else { return error("unclosed action: '}}' is missing") };
        let mut action = &after[..end];
        trim_next = action.ends_with(" -");
        action = action.strip_suffix(" -").unwrap_or(action);
        action = if trim { &action[1..] } else { action };
        if !action.trim().starts_with("/*") {
            tokens.push(Token::Open);
            lex_action(action, &mut tokens)?;
            tokens.push(Token::Close);
        }
        rest = &after[end + 2..];
    }
    push_text(&mut tokens, rest, trim_next, false);
    Ok(tokens)
}

fn push_text(tokens: &mut Vec<Token>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        tokens.push(Token::Text(text.to_owned()));
    }
}

/// Where `}}` stands outside of strings.
fn action_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut i = 0;
    while i < bytes.len() {
        match (quote, bytes[i]) {
            (Some(b'"'), b'\\') => i += 1,
            (Some(q), b) if b == q => quote = None,
            (None, b @ (b'"' | b'`')) => quote = Some(b),
            (None, b'}') if bytes.get(i + 1) == Some(&b'}') => return Some(i),
            _ => {}
        }
        i += 1;
    }
    None
}

fn lex_action(text: &str, tokens: &mut Vec<Token>) -> Result<()> {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let used = match first {
            c if c.is_whitespace() => {
                tokens.push(Token::Space);
                rest.len() - rest.trim_start().len()
            }
            '|' => single(tokens, Token::Pipe),
            '(' => single(tokens, Token::Left),
            ')' => single(tokens, Token::Right),
            ',' => single(tokens, Token::Comma),
            ':' if rest.starts_with(":=") => single(tokens, Token::Assign) + 1,
            '"' | '`' => string(rest, tokens)?,
            '.' => {
                let name = word(&rest[1..]);
                tokens.push(Token::Field(name.to_owned()));
                1 + name.len()
            }
            '$' => {
                let name = word(&rest[1..]);
                tokens.push(Token::Variable(name.to_owned()));
                1 + name.len()
            }
            '0'..='9' | '-' | '+' => number(rest, tokens)?,
            c if c.is_alphabetic() || c == '_' => {
                let name = word(rest);
                tokens.push(Token::Word(name.to_owned()));
                name.len()
            }
            c => return error(format!("unexpected '{c}' in an action")),
        };
        rest = &rest[used..];
    }
    Ok(())
}

fn single(tokens: &mut Vec<Token>, token: Token) -> usize {
    tokens.push(token);
    1
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn number(text: &str, tokens: &mut Vec<Token>) -> Result<usize> {
    let end = text[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '.').map_or(text.len(), |n| n + 1);
    match text[..end].parse() {
        Ok(number) => tokens.push(Token::Number(number)),
        Err(_) => return error(format!("bad number '{}'", &text[..end])),
    }
    Ok(end)
}

fn string(text: &str, tokens: &mut Vec<Token>) -> Result<usize> {
    let mut chars = text.char_indices();
    let quote = chars.next().map_or('"', |(_, c)| c);
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                tokens.push(Token::String(value));
                return Ok(at + 1);
            }
            '\\' if quote == '"' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some(c @ ('\\' | '"' | '\'')) => value.push(c),
                _ => return error("unknown escape in a string"),
            },
            c => value.push(c),
        }
    }
    error("unterminated string")
}
