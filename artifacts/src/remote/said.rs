//! What a store says that it does not do, in one line, and without what must not be seen.

use object_store::Error;

use crate::StoreError;

/// Sorts a store's error by what is done about it; `what` is the object's URL.
pub fn said(what: String, error: &Error) -> StoreError {
    let why = plain(error);
    match error {
        Error::NotFound { .. } if is_of_bucket(&why) => StoreError::Refused { what, why },
        Error::NotFound { .. } => StoreError::Missing(what),
        _ if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
            || is_of_credentials(&why) =>
        {
            let why = format!("the store refuses it, look at the credentials ({why})");
            StoreError::Refused { what, why }
        }
        Error::InvalidPath { .. } | Error::UnknownConfigurationKey { .. } => StoreError::Refused { what, why },
        _ => StoreError::Away { what, why },
    }
}

/// Whether it is not the object that is missing, but all that would be around it.
fn is_of_bucket(why: &str) -> bool {
    ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"].iter().any(|sign| why.contains(sign))
}

/// Whether the store does not know who asks: not every call tells that by its kind.
fn is_of_credentials(why: &str) -> bool {
    ["SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"].iter().any(|sign| why.starts_with(sign))
}

/// The innermost cause, on one line: the code of an answer in XML, no query of a URL, which may be signed.
pub fn plain(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let whole = error.to_string();
    let text = match (element(&whole, "Code"), element(&whole, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        // A status without a body is told by its line, not by what is around it.
        _ => innermost.to_string(),
    };
    without_queries(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

fn without_queries(text: &str) -> String {
    let word = |word: &str| match word.split_once('?') {
        Some((url, _)) if url.contains("://") => format!("{url}?…"),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn an_answer_is_told_in_one_line_without_its_query() {
        let told = plain(&of("sent (https://h/c/k?sig=secret&se=1)\n failed"));
        assert_eq!(told, "sent (https://h/c/k?… failed");
        let xml =
            "Server returned: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>No bucket</Message>";
        assert_eq!(plain(&of(xml)), "NoSuchBucket: No bucket");
        let missing = |why: &str| Error::NotFound { path: "k".into(), source: why.into() };
        assert!(matches!(said("u".into(), &missing("gone")), StoreError::Missing(_)));
        assert!(matches!(said("u".into(), &missing(xml)), StoreError::Refused { .. }));
        assert!(matches!(said("u".into(), &of("busy")), StoreError::Away { .. }));
    }
}
