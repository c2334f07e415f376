//! Long-polling bodies compressed as the client accepts it.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use http::{HeaderMap, header};

/// Above this, compressing takes long enough to be done where it holds nobody up.
const LONG_BODY: usize = 64 * 1024;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    /// By the name of HTTP: zlib's format.
    Deflate,
}

impl Encoding {
    /// The name on the wire.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// The one that the client likes best: by its weight, then if it is named rather than meant by a star, then by its
    /// place.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok());
        let mut best = [None, None];
        for (place, item) in accepted.flat_map(|value| value.split(',')).enumerate() {
            let Some((name, weight)) = parse(item) else {
                continue;
            };
            for (encoding, best) in [Self::Gzip, Self::Deflate].into_iter().zip(&mut best) {
                let is_named = name.eq_ignore_ascii_case(encoding.as_str());
                let found = Accepted {
                    is_named,
                    weight,
                    place,
                };
                let is_better = best.is_none_or(|best: Accepted| is_named && !best.is_named);
                if (is_named || name == "*") && is_better {
                    *best = Some(found);
                }
            }
        }
        let [gzip, deflate] = best.map(|best| best.filter(|best| best.weight > 0));
        match (gzip, deflate) {
            (Some(gzip), Some(deflate)) if deflate.rank() > gzip.rank() => Some(Self::Deflate),
            (Some(_), _) => Some(Self::Gzip),
            (None, deflate) => deflate.map(|_| Self::Deflate),
        }
    }

    /// Compresses a body. `None` if that went wrong, which leaves it as it is.
    pub(super) async fn compress(self, body: Bytes) -> Option<Bytes> {
        if body.len() <= LONG_BODY {
            return self.compress_now(&body).ok();
        }
        // Ends by itself, when the body is done.
        let compressed = tokio::task::spawn_blocking(move || self.compress_now(&body));
        compressed.await.ok()?.ok()
    }

    fn compress_now(self, body: &[u8]) -> io::Result<Bytes> {
        let compressed = Vec::with_capacity(body.len() / 4);
        let compressed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(compressed, Compression::default());
                encoder.write_all(body)?;
                encoder.finish()?
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(compressed, Compression::default());
                encoder.write_all(body)?;
                encoder.finish()?
            }
        };
        Ok(compressed.into())
    }
}

/// How an encoding is accepted.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    is_named: bool,
    /// In thousandths.
    weight: u16,
    place: usize,
}

impl Accepted {
    /// More is better.
    fn rank(self) -> (u16, bool, std::cmp::Reverse<usize>) {
        (self.weight, self.is_named, std::cmp::Reverse(self.place))
    }
}

/// RFC 9110, section 12.5.3: a name and its weight.
fn parse(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = match weight {
        Some(weight) => weight.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0),
        None => 1.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    let thousandths = (weight * 1000.0).round() as u16;
    Some((name, thousandths))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, ZlibDecoder};

    use super::*;

    #[test]
    fn the_client_gets_what_it_likes_best() {
        use Encoding::{Deflate, Gzip};
        for (accepted, expected) in [
            ("gzip, deflate, br", Some(Gzip)),
            ("deflate, gzip", Some(Deflate)),
            ("*", Some(Gzip)),
            ("gzip;q=0, *", Some(Deflate)),
            ("gzip;q=0.5, deflate", Some(Deflate)),
            ("gzip ; q=0.1, deflate;q=0.2", Some(Deflate)),
            ("deflate;q=0.5, *;q=0.5", Some(Deflate)),
            ("deflate;q=0.5, *;q=0.8", Some(Gzip)),
            ("*;q=0, gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("gzip;q=0", None),
            ("gzip;q=x", None),
            ("gzip;q=NaN", None),
            ("br", None),
            ("identity", None),
            ("", None),
            (",;,;q=1", None),
        ] {
            let headers = [(header::ACCEPT_ENCODING, accepted.parse().unwrap())];
            let headers = headers.into_iter().collect();
            assert_eq!(Encoding::negotiate(&headers), expected, "{accepted}");
        }
        assert_eq!(Encoding::negotiate(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn what_is_compressed_comes_out_the_same() {
        for length in [0, 1, 5_000, LONG_BODY + 1] {
            let body: Vec<u8> = (0..length).map(|at| (at % 7) as u8).collect();
            let compress = |encoding: Encoding| encoding.compress(body.clone().into());
            let gzip = compress(Encoding::Gzip).await.unwrap();
            let deflate = compress(Encoding::Deflate).await.unwrap();
            let mut out = [Vec::new(), Vec::new()];
            GzDecoder::new(&gzip[..]).read_to_end(&mut out[0]).unwrap();
            ZlibDecoder::new(&deflate[..])
                .read_to_end(&mut out[1])
                .unwrap();
            assert_eq!(out, [body.clone(), body]);
        }
    }
}
