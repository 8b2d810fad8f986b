use crate::KeyAlgorithm;
use crate::format::openssl::openssl;
use crate::format::{Contents, read};
use crate::testing::pkcs8;

fn code(text: &str, passphrase: Option<&str>) -> &'static str {
    read(text.as_bytes(), passphrase).err().map_or("", |refusal| refusal.code)
}

/// What `openssl` makes of a key in its old way; `option` names the cipher.
fn written(algorithm: KeyAlgorithm, option: &str, passphrase: &str) -> String {
    let typed = format!("pass:{passphrase}");
    let mut arguments = vec!["-inform", "DER", option, "-passout", &typed];
    let command = if algorithm.is_rsa() { "rsa" } else { "ec" };
    if algorithm.is_rsa() {
        arguments.push("-traditional");
    }
    String::from_utf8(openssl(command, &arguments, &pkcs8(algorithm))).unwrap()
}

fn only_key(contents: Contents) -> crate::PrivateKey {
    assert_eq!(contents.items.len(), 1);
    contents.items.into_iter().next().unwrap().into_private_key().unwrap()
}

#[test]
fn a_comment_above_the_base64_is_left_out() {
    let key = crate::PrivateKey::from_pkcs8_der(&pkcs8(KeyAlgorithm::EcP256)).unwrap();
    let text = crate::format::pem_write::private_key(&key);
    let with = |header: &str| text.replacen("KEY-----\n", &format!("KEY-----\n{header}\n"), 1);
    for header in ["Comment: made here", "Comment: a\nX-Key: b\n"] {
        assert_eq!(code(&with(header), None), "", "{header}");
    }
    assert_eq!(code(&with("Comment: a\nProc-Type: 4,ENCRYPTED"), None), "key.encryption_unsupported");
}

#[test]
fn every_cipher_that_is_taken_is_read_from_openssl_and_said_to_be_weak() {
    for option in ["-aes128", "-aes192", "-aes256", "-des3"] {
        for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::EcP256, KeyAlgorithm::EcP384] {
            for passphrase in ["changeit", "pässwörd €"] {
                let text = written(algorithm, option, passphrase);
                assert!(text.contains("DEK-Info: "), "{text}");
                let contents = read(text.as_bytes(), Some(passphrase)).unwrap();
                assert_eq!(contents.findings[0].code, "key.encryption_weak");
                assert_eq!(only_key(contents).algorithm(), algorithm, "{option}");
                assert_eq!(code(&text, Some("changed")), "pass.wrong");
                assert_eq!(code(&text, None), "pass.needed");
            }
        }
    }
    let text = written(KeyAlgorithm::Rsa2048, "-aes256", "changeit");
    let key = only_key(read(text.as_bytes(), Some("changeit")).unwrap());
    assert_eq!(key.pkcs8_der(), &pkcs8(KeyAlgorithm::Rsa2048)[..], "it is the same key");
}

#[test]
fn other_ciphers_are_refused() {
    for option in ["-des", "-camellia256", "-aria128", "-seed"] {
        let text = written(KeyAlgorithm::EcP256, option, "changeit");
        assert_eq!(code(&text, Some("changeit")), "key.encryption_unsupported", "{option}");
    }
}

#[test]
fn white_space_may_be_what_it_likes() {
    let text = written(KeyAlgorithm::EcP256, "-aes128", "changeit");
    for other in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.replace('\n', " "),
        text.replace("\n\n", "\n"),
    ] {
        assert_eq!(code(&other, Some("changeit")), "", "{other:?}");
    }
}

#[test]
fn headers_that_say_something_else_are_refused() {
    let text = written(KeyAlgorithm::EcP256, "-aes128", "changeit");
    let (head, rest) = text.split_once("DEK-Info: AES-128-CBC,").unwrap();
    let (iv, rest) = rest.split_once('\n').unwrap();
    let with = |value: &str| code(&format!("{head}DEK-Info: {value}\n{rest}"), Some("changeit"));
    assert_eq!(with(&format!("AES-128-CBC,{iv}")), "");
    assert_eq!(with(&format!("AES-128-CBC,{}", iv.to_lowercase())), "");
    assert_eq!(with("AES-128-CBC,00"), "key.kdf_params");
    assert_eq!(with("AES-128-CBC"), "key.kdf_params");
    assert_eq!(with(&format!("AES-128-CBC,{iv}0")), "key.kdf_params");
    assert_eq!(with(&format!("AES-128-CBC,{iv}00")), "key.kdf_params");
    assert_eq!(with("AES-128-CBC,gg112233445566778899aabbccddeeff"), "key.kdf_params");
    assert_eq!(with(&format!("AES-128-GCM,{iv}")), "key.encryption_unsupported");
    assert_eq!(with(""), "key.encryption_unsupported");
    for (from, to) in [
        ("4,ENCRYPTED", "4,MIC-CLEAR"),
        ("4,ENCRYPTED", "3,ENCRYPTED"),
        ("Proc-Type: 4,ENCRYPTED\n", ""),
        ("DEK-Info:", "DEK-Infe:"),
    ] {
        assert_eq!(code(&text.replace(from, to), Some("changeit")), "key.encryption_unsupported", "{to}");
    }
}

#[test]
fn only_keys_are_encrypted_so() {
    let text = written(KeyAlgorithm::EcP256, "-aes128", "changeit");
    for label in ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE"] {
        let other = text.replace("EC PRIVATE KEY", label);
        assert_eq!(code(&other, Some("changeit")), "key.encryption_unsupported", "{label}");
    }
    assert_eq!(code(&text.replace("EC PRIVATE KEY", "DSA PRIVATE KEY"), Some("changeit")), "key.algorithm");
    assert_eq!(code(&text.replace("EC PRIVATE KEY", "RSA PRIVATE KEY"), Some("changeit")), "pass.wrong");
}

#[test]
fn damage_and_a_wrong_passphrase_look_the_same_and_nothing_crashes() {
    let text = written(KeyAlgorithm::EcP256, "-des3", "right");
    let wrong = read(text.as_bytes(), Some("wrong")).err();
    let begin = text.find("\n\n").unwrap() + 2;
    // The first block is the beginning of the key, and shows at once.
    let mut damaged = text.clone().into_bytes();
    damaged[begin] = if damaged[begin] == b'A' { b'B' } else { b'A' };
    assert_eq!(read(&damaged, Some("right")).err(), wrong);
    assert_eq!(wrong.map(|refusal| refusal.code), Some("pass.wrong"));
    for index in 0..text.len() {
        for octet in [0, b'A', b'-', b',', b'\n'] {
            let mut changed = text.clone().into_bytes();
            changed[index] = octet;
            // Whatever the answer: there is one.
            let _ = read(&changed, Some("right"));
        }
    }
}
