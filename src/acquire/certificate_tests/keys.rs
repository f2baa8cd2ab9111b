//! Private keys that are refused.

use super::*;

#[test]
fn a_key_that_entra_does_not_take_is_refused() {
    let leaf = certificate_pem(&OWN.certificate("ca", "app"));
    let of_curve = value(SEQUENCE, &value(0x06, ELLIPTIC_CURVE));
    let curve = value(
        SEQUENCE,
        &[value(0x02, &[0]), of_curve, value(0x04, b"key")].concat(),
    );
    let mut broken = OWN.pkcs8.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    for (key, expected, hint) in [
        (
            pem("PRIVATE KEY", &curve),
            "the private key is not an RSA key",
            "rsa:2048",
        ),
        (
            pem("EC PRIVATE KEY", b"key"),
            "the private key is not an RSA key",
            "rsa:2048",
        ),
        (
            pem("OPENSSH PRIVATE KEY", b"key"),
            "the private key is not an RSA key",
            "rsa:2048",
        ),
        (
            pem("PRIVATE KEY", b"key"),
            "the private key is not a valid RSA key",
            "one private key",
        ),
        (
            pem("PRIVATE KEY", &broken),
            "the private key is not a valid RSA key",
            "one private key",
        ),
        (
            pem("PRIVATE KEY", &OWN.pkcs1()),
            "the private key is not a valid RSA key",
            "one private key",
        ),
        (
            pem("RSA PRIVATE KEY", &OWN.pkcs8),
            "the private key is not a valid RSA key",
            "one private key",
        ),
        (
            pem("ENCRYPTED PRIVATE KEY", b"key"),
            "the private key is encrypted",
            "openssl pkey -in",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".to_owned(),
            "the private key is encrypted",
            "openssl pkey -in",
        ),
        (
            SMALL.to_owned(),
            "the RSA key has less than 2048 bits",
            "rsa:2048",
        ),
        (
            pem("RSA PRIVATE KEY", &large_key()),
            "the RSA key has more than 8192 bits",
            "rsa:2048",
        ),
    ] {
        let (found, told) = problem(leaf.clone() + &key);
        assert_eq!(found, expected, "{key}");
        assert!(told.contains(hint), "{told}");
    }
}

/// A key of 8194 bits by its form. Its factors, 2^4096 + 1 and 2^4097 + 1, are no primes.
fn large_key() -> Vec<u8> {
    let sum_of_powers = |exponents: &[usize]| {
        let mut number = vec![0; exponents[0] / 8 + 1];
        for exponent in exponents {
            number[(exponents[0] / 8) - exponent / 8] |= 1 << (exponent % 8);
        }
        value(0x02, &number)
    };
    // (2^4097 + 1) / 3, the inverse of 3 modulo both factors less one.
    let inverse = value(0x02, &[&[0][..], &[0xaa; 511], &[0xab]].concat());
    let numbers = [
        value(0x02, &[0]),
        sum_of_powers(&[8193, 4097, 4096, 0]),
        value(0x02, &[3]),
        inverse.clone(),
        sum_of_powers(&[4096, 0]),
        sum_of_powers(&[4097, 0]),
        inverse.clone(),
        inverse,
        sum_of_powers(&[4096]),
    ];
    value(SEQUENCE, &numbers.concat())
}

/// A key of 1024 bits, made for this test by `openssl genrsa -traditional 1024`. It is registered nowhere.
const SMALL: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIICXAIBAAKBgQC2nwOvarxUzhUPOFeCKKqdFWQTjX3oLA+dwm5K+Er/jdDXF6ns
FUPKPm+7ObVxwhbIwXnIMj3UkMtV0+F/DsgWgWo6JQ23/7huhKDMLRjyWHwp89sN
dMPo2r8tGHq6WLyvFuAlthl2ar1Zr1/gmVfh8pzEAjJ8mYw8HqTPZ6wJOwIDAQAB
AoGBAIee47+8Boz8VstsziANT1dE8YNLyrtHLXm9UOdAKYJLsVJrcneu+x8Q6y0h
mEwZFY6VkHlKRny74yWkKoyPT6uTtN5WTabM0HSMSjBnEb8XirZcmNnZ2pVOELKe
kTWueaKWju31qpBKeIx1rHJvjidhDNZRL8YarNRfQeeqHDThAkEA8s24jR93nmUp
stf6lPmzs7UV1n+c623STTQdjI1C+gqZR+EYt2GNadF4gebkzXihkYDtw94ixvzs
p0VoVzzPyQJBAMCL7/C305z8tFt2zXFbD0Ft7x69SuykI514X7jZIVHChaeEljO0
OnwX+UxlZ9XB8uetXxs2vcTeXIVc0gTqeuMCQA+Y64wVQ2fnc8BLY4uCZurabSa0
V+4/xcyz1lobEPxjBem6Kg5Ns/niPO2LWZNhdm+UarG0aWODB+jO6p8ABxECQFDq
/l01g/MXqFw/4zreP90JbFKIzrIAkQ8ehWvTpFMN4slxyQXVmjaIhLZ8b1S/+2st
yyhOqxXPNSa+yWxTdm0CQH0LTlpQf8mi6OGn2e2aVywEB7FAR1HXeTQcJOJlVHH6
lqxSJovc3nlPZqDdO99Ixt0YKK7M+EspjHtOCM3IBog=
-----END RSA PRIVATE KEY-----
";
