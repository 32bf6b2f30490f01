//! List filters as people type them: words are ANDed, `!word` inverts, `re:` is an expression, `field:value` asks one field.

use regex::{Regex, RegexBuilder};

/// A parsed filter; empty matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    terms: Vec<Term>,
    /// Why a part of it is not usable; that part is left out.
    pub problem: Option<String>,
}

#[derive(Clone, Debug)]
struct Term {
    inverse: bool,
    /// Asks only the field that starts with this.
    field: Option<String>,
    needle: Needle,
}

#[derive(Clone, Debug)]
enum Needle {
    Text(String),
    Pattern(Regex),
}

impl Filter {
    /// `fields` are the names that may stand before a colon; anything else with a colon is text (`nginx:1.29`).
    pub fn parse(text: &str, fields: &[&str]) -> Filter {
        let mut filter = Filter::default();
        for word in text.split_whitespace() {
            let (inverse, word) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word),
            };
            let (field, word) = match word.split_once(':') {
                Some((name, rest))
                    if !name.is_empty() && fields.iter().any(|f| f.starts_with(&name.to_lowercase())) =>
                {
                    (Some(name.to_lowercase()), rest)
                }
                _ => (None, word),
            };
            if word.is_empty() {
                continue;
            }
            let needle = match word.strip_prefix("re:") {
                Some(pattern) => match RegexBuilder::new(pattern).case_insensitive(true).size_limit(1 << 20).build() {
                    Ok(regex) => Needle::Pattern(regex),
                    Err(_) => {
                        filter.problem = Some(format!("'{pattern}' is not a regular expression"));
                        continue;
                    }
                },
                None => Needle::Text(word.to_lowercase()),
            };
            filter.terms.push(Term { inverse, field, needle });
        }
        filter
    }

    /// `fields`: name and value of what the row shows.
    pub fn matches(&self, fields: &[(&str, &str)]) -> bool {
        self.terms.iter().all(|term| {
            let found = fields
                .iter()
                .filter(|(name, _)| term.field.as_ref().is_none_or(|f| name.starts_with(f.as_str())))
                .any(|(_, value)| match &term.needle {
                    Needle::Text(text) => value.to_lowercase().contains(text),
                    Needle::Pattern(regex) => regex.is_match(value),
                });
            found != term.inverse
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, expected: bool) {
        let fields = [("name", "web-1"), ("image", "nginx:1.29"), ("status", "running")];
        let filter = Filter::parse(filter, &["name", "image", "status"]);
        assert_eq!(filter.matches(&fields), expected, "{filter:?}");
    }

    #[test]
    fn words_inverse_fields_and_expressions() {
        check("", true);
        check("WEB nginx", true);
        check("web redis", false);
        check("!redis", true);
        check("!web", false);
        check("nginx:1.29", true);
        check("status:run", true);
        check("name:nginx", false);
        check("!image:nginx", false);
        check("re:^web-\\d$", true);
        check("name:re:^ng", false);
        check("re:(", true);
    }
}
