//! As much DER (X.690) as it takes to say how long an RSA key is: the library says of a short one only that it is no
//! key.

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The bits of the modulus of a private key in PKCS#1 (RFC 8017 appendix A.1.2), bare or in PKCS#8 (RFC 5958
/// section 2). `None`: it is another key, or none.
pub(super) fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (key, _) = element(SEQUENCE, der)?;
    let (_version, rest) = element(INTEGER, key)?;
    if let Some((_algorithm, rest)) = element(SEQUENCE, rest) {
        let (inner, _) = element(OCTET_STRING, rest)?;
        let (key, _) = element(SEQUENCE, inner)?;
        let (_version, rest) = element(INTEGER, key)?;
        return modulus_bits(rest);
    }
    modulus_bits(rest)
}

fn modulus_bits(rest: &[u8]) -> Option<usize> {
    let (modulus, _) = element(INTEGER, rest)?;
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(leading)?;
    Some((modulus.len() - leading) * 8 - first.leading_zeros() as usize)
}

/// What the first element holds, if it is of this kind, and what is behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_modulus_is_as_long_as_its_first_bit_says() {
        for (modulus, bits) in [
            (&[0x00, 0x80][..], Some(8)),
            (&[0x00, 0x80, 0x00], Some(16)),
            (&[0x7f], Some(7)),
            (&[0x01, 0x00], Some(9)),
            (&[0x00], None),
            (&[], None),
        ] {
            let length = u8::try_from(modulus.len()).unwrap();
            let inner = [&[INTEGER, 1, 0, INTEGER, length][..], modulus].concat();
            let sequence = |inner: &[u8]| {
                [&[SEQUENCE, 0x81, u8::try_from(inner.len()).unwrap()][..], inner].concat()
            };
            let pkcs1 = sequence(&inner);
            assert_eq!(rsa_bits(&pkcs1), bits, "{modulus:?}");
            let octets = [OCTET_STRING, u8::try_from(pkcs1.len()).unwrap()];
            let pkcs8 = sequence(&[&[INTEGER, 1, 0, SEQUENCE, 0][..], &octets, &pkcs1].concat());
            assert_eq!(rsa_bits(&pkcs8), bits, "{modulus:?}");
            assert_eq!(rsa_bits(&pkcs1[..pkcs1.len() - 1]), None, "{modulus:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(der in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ignored = rsa_bits(&der);
        }
    }
}
