//! Cutting a page of events into portions of bounded size (L2).

use crate::port::Head;

/// Payload bytes that are read at once, unless one event alone has more.
const PORTION: u64 = 8 * 1024 * 1024;

/// Cuts a page into portions of bounded size.
pub(crate) fn portions<T>(heads: Vec<Head<T>>) -> Vec<Vec<Head<T>>> {
    let mut portions: Vec<Vec<Head<T>>> = Vec::new();
    let mut bytes: u64 = 0;
    for head in heads {
        bytes = bytes.saturating_add(head.bytes);
        match portions.last_mut() {
            Some(portion) if bytes <= PORTION => portion.push(head),
            _ => {
                bytes = head.bytes;
                portions.push(vec![head]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;
    use zonegate_payload::record::EventType;

    #[test]
    fn l2_large_events_are_read_one_by_one_and_small_ones_together() {
        let head = |bytes| Head { id: "x".into(), kind: EventType::StartApi, updated: 0, bytes };
        let sizes = [1, 2, PORTION, 3, PORTION - 3, 1, PORTION * 4].map(head).to_vec();
        let cut = portions(sizes)
            .into_iter()
            .map(|portion| portion.iter().map(|head| head.bytes).collect::<Vec<_>>());
        let expected: Vec<Vec<u64>> =
            vec![vec![1, 2], vec![PORTION], vec![3, PORTION - 3], vec![1], vec![PORTION * 4]];
        assert_eq!(cut.collect::<Vec<_>>(), expected);
        assert!(portions::<i64>(Vec::new()).is_empty());
    }
}
