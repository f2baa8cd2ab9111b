//! A refused token request, as Entra words it.

use serde_json::{Map, Value, json};

/// Why there is no token: what the body of the answer says, and its status.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    error: &'static str,
    pub(super) code: u32,
    pub(super) text: String,
    suberror: Option<&'static str>,
    claims: Option<Value>,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        error: &'static str,
        code: u32,
        text: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error,
            code,
            text: text.into(),
            suberror: None,
            claims: None,
        }
    }

    pub(super) fn request(code: u32, text: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", code, text)
    }

    /// The client's own credential is not accepted.
    pub(super) fn client(code: u32, text: impl Into<String>) -> Self {
        Self::new(401, "invalid_client", code, text)
    }

    pub(super) fn unauthorized(code: u32, text: impl Into<String>) -> Self {
        Self::new(400, "unauthorized_client", code, text)
    }

    pub(super) fn grant(code: u32, text: impl Into<String>) -> Self {
        Self::new(400, "invalid_grant", code, text)
    }

    pub(super) fn scope(code: u32, text: impl Into<String>) -> Self {
        Self::new(400, "invalid_scope", code, text)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::request(
            900144,
            format!("The body of the request lacks the parameter '{parameter}', or it is empty"),
        )
    }

    pub(super) fn malformed(text: &str) -> Self {
        Self::request(9002313, format!("The request is malformed: {text}"))
    }

    pub(super) fn with_suberror(self, suberror: &'static str) -> Self {
        Self {
            suberror: Some(suberror),
            ..self
        }
    }

    pub(super) fn with_claims(self, claims: Value) -> Self {
        Self {
            claims: Some(claims),
            ..self
        }
    }

    pub(super) fn body(&self, trace: &Trace, base: &str) -> Value {
        let Trace {
            timestamp,
            trace_id,
            correlation_id,
        } = trace;
        let Self { code, text, .. } = self;
        let description = format!(
            "AADSTS{code}: {text}. Trace ID: {trace_id} Correlation ID: {correlation_id} \
             Timestamp: {timestamp}"
        );
        let mut body = Map::new();
        let members = [
            ("error", json!(self.error)),
            ("error_description", json!(description)),
            ("error_codes", json!([code])),
            ("timestamp", json!(timestamp)),
            ("trace_id", json!(trace_id)),
            ("correlation_id", json!(correlation_id)),
            ("error_uri", json!(format!("{base}/error?code={code}"))),
        ];
        body.extend(members.map(|(name, value)| (name.to_owned(), value)));
        if let Some(suberror) = self.suberror {
            body.insert("suberror".to_owned(), json!(suberror));
        }
        if let Some(claims) = &self.claims {
            // A JSON document inside a string.
            body.insert("claims".to_owned(), json!(claims.to_string()));
        }
        Value::Object(body)
    }
}

/// What identifies one answer.
pub(super) struct Trace {
    pub(super) timestamp: String,
    pub(super) trace_id: String,
    pub(super) correlation_id: String,
}

/// A text of the request in a description: at most 120 characters, without controls.
pub(super) fn quoted(text: &str) -> String {
    let printable = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(120);
    format!("'{}'", printable.collect::<String>())
}

/// Seconds since the Unix epoch as `2017-05-01 22:43:20Z`.
pub(super) fn timestamp(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1 March of the year 0, counted in periods of 400 years: 146,097 days each.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}
