//! Which credential profile opens a file: in a plan it stands behind the href, `https://h/a.tif#profile=name`. It is no
//! part of what the href names.

const MARK: &str = "#profile=";

/// An href that is to be opened by a profile, or by none: what a catalogue says of profiles itself is taken away.
#[must_use]
pub fn with_profile(href: &str, profile: Option<&str>) -> String {
    let (bare, _) = of_profile(href);
    match profile {
        Some(name) => format!("{bare}{MARK}{name}"),
        None => bare.to_owned(),
    }
}

/// An href without its profile, and the profile's name.
#[must_use]
pub fn of_profile(href: &str) -> (&str, Option<&str>) {
    match href.rsplit_once(MARK) {
        Some((bare, name)) => (bare, Some(name)),
        None => (href, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_comes_from_the_request_alone() {
        assert_eq!(with_profile("s3://b/a.tif", Some("mine")), "s3://b/a.tif#profile=mine");
        assert_eq!(with_profile("s3://b/a.tif#profile=other", Some("mine")), "s3://b/a.tif#profile=mine");
        assert_eq!(with_profile("s3://b/a.tif#profile=other", None), "s3://b/a.tif");
        assert_eq!(of_profile("s3://b/a.tif#profile=mine"), ("s3://b/a.tif", Some("mine")));
        assert_eq!(of_profile("https://h/a.tif#x"), ("https://h/a.tif#x", None));
    }
}
