//! Tokens into nodes.

use super::lexer::Token;
use super::{Result, error};
use serde_json::Value;

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Print(Pipeline),
    If { condition: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    With { value: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Range { names: Vec<String>, over: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
}

/// Commands, each one's result the last argument of the next.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub variable: Option<String>,
    pub commands: Vec<Vec<Operand>>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub base: Base,
    /// `.A.B` after it.
    pub fields: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Function(String),
    Literal(Value),
    Group(Pipeline),
}

pub(super) fn parse(tokens: Vec<Token>) -> Result<Vec<Node>> {
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), depth: 0 };
    let (nodes, end) = parser.nodes()?;
    match end {
        End::Input => Ok(nodes),
        _ => error("unexpected {{end}} or {{else}}"),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: u32,
}

/// What closed a list of nodes.
enum End {
    Input,
    Closed,
    Else,
    /// `{{else if …}}`: the keyword; its pipeline follows.
    ElseIf(String),
}

const MAX_DEPTH: u32 = 100;

impl Parser {
    fn nodes(&mut self) -> Result<(Vec<Node>, End)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return error("nested too deeply");
        }
        let mut nodes = Vec::new();
        let end = loop {
            match self.tokens.next() {
                None => break End::Input,
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    self.spaces();
                    let Some(Token::Word(word)) = self.tokens.peek() else {
                        nodes.push(Node::Print(self.last_pipeline()?));
                        continue;
                    };
                    match word.clone().as_str() {
                        "end" => {
                            self.keyword_alone()?;
                            break End::Closed;
                        }
                        "else" => {
                            self.tokens.next();
                            self.spaces();
                            match self.tokens.next() {
                                Some(Token::Close) => break End::Else,
                                Some(Token::Word(w)) if w == "if" || w == "with" => break End::ElseIf(w),
                                _ => return error("unexpected word after {{else"),
                            }
                        }
                        keyword @ ("if" | "with" | "range") => {
                            self.tokens.next();
                            nodes.push(self.block(keyword)?);
                        }
                        "define" | "template" | "block" | "break" | "continue" => {
                            return error(format!("{{{{{word}}}}} is not supported in --format"));
                        }
                        _ => nodes.push(Node::Print(self.last_pipeline()?)),
                    }
                }
            }
        };
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn block(&mut self, keyword: &str) -> Result<Node> {
        let names = if keyword == "range" { self.range_names()? } else { Vec::new() };
        let value = self.last_pipeline()?;
        let (then, end) = self.nodes()?;
        let otherwise = match end {
            End::Closed => Vec::new(),
            End::Else => match self.nodes()? {
                (nodes, End::Closed) => nodes,
                _ => return error("{{end}} is missing"),
            },
            End::ElseIf(word) if keyword != "range" => vec![self.block(&word)?],
            _ => return error("{{end}} is missing"),
        };
        Ok(match keyword {
            "if" => Node::If { condition: value, then, otherwise },
            "with" => Node::With { value, then, otherwise },
            _ => Node::Range { names, over: value, body: then, otherwise },
        })
    }

    /// `$i, $v :=` of a range; nothing is taken when there is none.
    fn range_names(&mut self) -> Result<Vec<String>> {
        let ahead: Vec<Token> =
            self.tokens.clone().take_while(|t| *t != Token::Close).filter(|t| *t != Token::Space).collect();
        let count = match ahead.as_slice() {
            [Token::Variable(_), Token::Comma, Token::Variable(_), Token::Assign, ..] => 2,
            [Token::Variable(_), Token::Assign, ..] => 1,
            _ => return Ok(Vec::new()),
        };
        let mut names = Vec::new();
        for token in self.tokens.by_ref() {
            match token {
                Token::Variable(name) => names.push(name),
                Token::Assign => break,
                _ => {}
            }
        }
        debug_assert_eq!(names.len(), count);
        Ok(names)
    }

    fn spaces(&mut self) {
        while self.tokens.next_if_eq(&Token::Space).is_some() {}
    }

    fn keyword_alone(&mut self) -> Result<()> {
        self.tokens.next();
        self.spaces();
        match self.tokens.next() {
            Some(Token::Close) => Ok(()),
            _ => error("unexpected word after {{end"),
        }
    }

    fn last_pipeline(&mut self) -> Result<Pipeline> {
        let pipeline = self.pipeline()?;
        match self.tokens.next() {
            Some(Token::Close) => Ok(pipeline),
            _ => error("unexpected ')' in an action"),
        }
    }

    /// Up to, and without, `}}` or `)`.
    fn pipeline(&mut self) -> Result<Pipeline> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return error("nested too deeply");
        }
        self.spaces();
        let mut variable = None;
        if let Some(Token::Variable(name)) = self.tokens.peek().cloned() {
            let mut ahead = self.tokens.clone();
            ahead.next();
            if ahead.find(|t| *t != Token::Space) == Some(Token::Assign) {
                variable = Some(name);
                while self.tokens.next() != Some(Token::Assign) {}
            }
        }
        let mut commands = vec![Vec::new()];
        loop {
            self.spaces();
            match self.tokens.peek() {
                None | Some(Token::Close | Token::Right) => break,
                Some(Token::Pipe) => {
                    self.tokens.next();
                    commands.push(Vec::new());
                }
                Some(_) => {
                    let operand = self.operand()?;
                    if let Some(command) = commands.last_mut() {
                        command.push(operand);
                    }
                }
            }
        }
        self.depth -= 1;
        match commands.iter().any(Vec::is_empty) {
            true => error("missing value in an action"),
            false => Ok(Pipeline { variable, commands }),
        }
    }

    fn operand(&mut self) -> Result<Operand> {
        let mut fields = Vec::new();
        let base = match self.tokens.next() {
            Some(Token::Field(name)) => {
                fields.extend((!name.is_empty()).then_some(name));
                Base::Dot
            }
            Some(Token::Variable(name)) => Base::Variable(name),
            Some(Token::String(text)) => Base::Literal(Value::String(text)),
            Some(Token::Number(n)) if n.fract() == 0.0 && n.abs() < 9e15 => Base::Literal(Value::from(n as i64)),
            Some(Token::Number(n)) => Base::Literal(Value::from(n)),
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Base::Literal(Value::Bool(true)),
                "false" => Base::Literal(Value::Bool(false)),
                "nil" => Base::Literal(Value::Null),
                _ => Base::Function(word),
            },
            Some(Token::Left) => {
                let inner = self.pipeline()?;
                match self.tokens.next() {
                    Some(Token::Right) => Base::Group(inner),
                    _ => return error("')' is missing"),
                }
            }
            other => return error(format!("unexpected {other:?} in an action")),
        };
        while let Some(Token::Field(name)) = self.tokens.next_if(|t| matches!(t, Token::Field(n) if !n.is_empty())) {
            fields.push(name);
        }
        Ok(Operand { base, fields })
    }
}
