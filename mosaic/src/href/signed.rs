//! URLs that bear their own right to be read: in their query, or as a user name. That right is no part of what they
//! name, runs out, and is nobody else's to see.

use std::borrow::Cow;

/// Parameters that are always a right: of Amazon and those that do as it does, of Google, and of many an API.
const RIGHTS: [&str; 14] = [
    "sig",
    "signature",
    "awsaccesskeyid",
    "googleaccessid",
    "token",
    "access_token",
    "auth_token",
    "sas_token",
    "jwt",
    "api_key",
    "api-key",
    "apikey",
    "subscription-key",
    "credential",
];
/// What such parameters begin with.
const RIGHTS_BEGIN: [&str; 3] = ["x-amz-", "x-goog-", "x-oss-"];
/// Parameters that go with `sig` (Azure) or `signature` (Amazon's older ones); without it they say something else.
const BESIDE: [&str; 22] = [
    "se",
    "sp",
    "sr",
    "sv",
    "st",
    "spr",
    "sip",
    "ss",
    "srt",
    "sdd",
    "ses",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
    "skv",
    "saoid",
    "suoid",
    "expires",
    "policy",
    "key-pair-id",
];

/// A URL without what makes it a right to read: what names the same file to everyone, and in every key.
#[must_use]
pub fn unsigned(href: &str) -> Cow<'_, str> {
    let Some(scheme_end) = href.find("://").map(|at| at + 3) else { return Cow::Borrowed(href) };
    let host_end = href[scheme_end..].find(['/', '?', '#']).map_or(href.len(), |at| scheme_end + at);
    let host = href[scheme_end..host_end].rfind('@').map_or(scheme_end, |at| scheme_end + at + 1);
    let (bare, query) = href.split_once('?').map_or((href, None), |(bare, query)| (bare, Some(query)));
    let kept = query.and_then(without_rights);
    if host == scheme_end && kept.is_none() {
        return Cow::Borrowed(href);
    }
    let bare = format!("{}{}", &href[..scheme_end], bare.get(host..).unwrap_or_default());
    Cow::Owned(match kept.as_deref().or(query) {
        None | Some("") => bare,
        Some(kept) => format!("{bare}?{kept}"),
    })
}

/// What is left of a query; none where all of it is.
fn without_rights(query: &str) -> Option<String> {
    let name = |parameter: &str| parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let is_signed = query.split('&').any(|parameter| matches!(&*name(parameter), "sig" | "signature"));
    let is_right = |parameter: &&str| {
        let name = name(parameter);
        RIGHTS.contains(&&*name)
            || RIGHTS_BEGIN.iter().any(|begin| name.starts_with(begin))
            || (is_signed && BESIDE.contains(&&*name))
    };
    if !query.split('&').any(|parameter| is_right(&parameter)) {
        return None;
    }
    Some(query.split('&').filter(|parameter| !is_right(parameter)).collect::<Vec<_>>().join("&"))
}

/// Text for people, without the rights of the URLs in it.
#[must_use]
pub fn scrub(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains(['?', '@']) {
        return Cow::Borrowed(text);
    }
    let is_end = |c: char| c.is_whitespace() || matches!(c, '`' | '\'' | '"' | '<' | '>' | ',' | ')' | ']' | '}');
    let words = text.split_inclusive(is_end).map(|word| {
        let (word, end) = word.strip_suffix(is_end).map_or((word, ""), |bare| (bare, &word[bare.len()..]));
        format!("{}{end}", unsigned(word))
    });
    Cow::Owned(words.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_same_whoever_signed_it() {
        for (signed, plain) in [
            ("https://h/a.tif?sv=2021&st=x&se=y&sr=c&sp=rl&sig=a%2Fb%3D", "https://h/a.tif"),
            ("https://h/a.tif?X-Amz-Signature=a&versionId=3&X-Amz-Date=b", "https://h/a.tif?versionId=3"),
            ("https://h/a.tif?AWSAccessKeyId=a&Expires=1&Signature=b", "https://h/a.tif"),
            ("https://h/a.tif?Policy=a&Signature=b&Key-Pair-Id=c", "https://h/a.tif"),
            ("https://h/a.tif?X-Goog-Signature=a&GoogleAccessId=b", "https://h/a.tif"),
            ("https://h/a.tif?token=abc&band=1", "https://h/a.tif?band=1"),
            ("https://user:word@h/a.tif", "https://h/a.tif"),
            ("https://user:word@h/a.tif?band=1", "https://h/a.tif?band=1"),
            ("https://h?token=a", "https://h"),
            ("/vsicurl/https://h/a.tif?sig=x", "/vsicurl/https://h/a.tif"),
        ] {
            assert_eq!(unsigned(signed), plain);
        }
    }

    #[test]
    fn what_is_no_right_stays() {
        for href in [
            "/data/a.tif",
            "/data/what?sig=1",
            "https://h/a@b/c.tif",
            "https://h/a.tif?st=33TWL&sv=1",
            "https://h/a.tif?x=a@b",
            "s3://bucket/key",
            "https://h/a.tif?expires=never",
        ] {
            assert_eq!(unsigned(href), href);
        }
    }

    #[test]
    fn rights_are_taken_out_of_what_people_read() {
        let text = "`https://h/a.tif?sig=hunter2' not found, see https://u:hunter2@h/b?x=1, or /data/c?";
        assert_eq!(scrub(text), "`https://h/a.tif' not found, see https://h/b?x=1, or /data/c?");
        assert_eq!(scrub("nothing to see: https://h/a.tif"), "nothing to see: https://h/a.tif");
    }
}
