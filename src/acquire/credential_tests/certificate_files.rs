//! Certificates in files that change.

use super::*;

#[tokio::test]
async fn a_certificate_file_that_cannot_be_used_gives_no_assertion() {
    let directory = Directory::new();
    let credential = ClientCredential::certificate_file(directory.file());
    let good = good_pem();
    for (contents, expected, is_transient) in [
        (None, "does not exist", true),
        (Some(String::new()), "it is empty", true),
        (
            Some(good[..good.len() - 40].to_owned()),
            "a section of the PEM has no end",
            true,
        ),
        (Some("hunter2".to_owned()), "it is not PEM", false),
        (Some(" ".repeat(1024 * 1024 + 1)), "is too large", false),
    ] {
        if let Some(contents) = contents {
            directory.write(contents);
        }
        let none = proof(&credential).await.expect_err("no assertion");
        assert!(none.problem.ends_with(expected), "{none:?}");
        assert_eq!(none.is_transient, is_transient, "{none:?}");
        assert!(!none.hint.is_empty() && !none.problem.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_certificate_file_is_read_again_when_it_has_changed() {
    let directory = Directory::new();
    let credential = ClientCredential::certificate_file(directory.file());
    for pem in [good_pem(), other_pem(), good_pem_of(1024 * 1024)] {
        directory.write(&pem);
        for _ in 0..2 {
            assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&pem)));
        }
    }
}

#[tokio::test]
async fn a_new_certificate_file_that_cannot_be_used_leaves_the_earlier_one_in_use() {
    let directory = Directory::new();
    let credential = ClientCredential::certificate_file(directory.file());
    let (good, other) = (good_pem(), other_pem());
    directory.write(&good);
    assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&good)));
    for broken in ["", "hunter2", &other[..other.len() / 2]] {
        directory.write(broken);
        for _ in 0..2 {
            assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&good)));
        }
        credential.read_again();
        assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&good)));
    }
    fs::remove_file(directory.file()).unwrap();
    assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&good)));
    directory.write(&other);
    assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&other)));
}

#[tokio::test]
async fn a_file_that_looks_the_same_is_read_again_when_that_is_asked_for() {
    let directory = Directory::new();
    let credential = ClientCredential::certificate_file(directory.file());
    let (good, other) = (good_pem(), other_pem());
    let pad = |pem: &str| format!("{pem:<4096}");
    let write = |pem: &str| {
        fs::write(directory.file(), pad(pem)).unwrap();
        let file = fs::File::options()
            .append(true)
            .open(directory.file())
            .unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    };
    write(&good);
    assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&good)));
    write(&other);
    assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&good)));
    credential.clone().read_again();
    assert_eq!(thumbprint_of(&credential).await, Ok(thumbprint(&other)));
}
