//! What a session tells of its end beyond the reason.

use super::*;
use crate::DecodeError;

#[test]
fn the_peers_fault_is_told_in_detail() {
    type Fault = fn(&mut Bench);
    let table: [(Fault, CloseDetail); 5] = [
        (
            |bench| bench.receive(Wire::Polling, "x"),
            CloseDetail::Undecodable(DecodeError::UnknownType),
        ),
        (
            |bench| bench.receive(Wire::Polling, "2"),
            CloseDetail::WrongHeartbeat,
        ),
        (
            |bench| {
                bench.session.open_poll().unwrap();
                bench.session.open_poll().unwrap_err();
            },
            CloseDetail::OverlappingRequests,
        ),
        (
            |bench| {
                bench.session.open_poll().unwrap();
                bench.session.abort_poll();
            },
            CloseDetail::AbortedPoll,
        ),
        (
            |bench| {
                let failed = CloseDetail::FailedPost;
                bench.session.transport_failed(Wire::Polling, failed);
            },
            CloseDetail::FailedPost,
        ),
    ];
    for (fault, detail) in table {
        let mut bench = Bench::polling();
        assert_eq!(bench.session.close_detail(), None);
        fault(&mut bench);
        bench.assert_closed(detail.reason());
        assert_eq!(bench.session.close_detail(), Some(detail));
    }
}

#[test]
fn what_goes_wrong_after_the_end_or_on_a_probe_is_no_detail() {
    let mut bench = Bench::polling();
    let probe = bench.probe();
    let large = CloseDetail::MessageTooLarge;
    bench.session.transport_failed(probe, large);
    assert_eq!(bench.events(), []);
    bench.receive(Wire::Polling, "1");
    bench.session.transport_failed(Wire::Polling, large);
    bench.assert_closed(CloseReason::TransportClose);
    assert_eq!(bench.session.close_detail(), None);
}
