//! A durable, ordered, deduplicating log of events per stream, and its delivery by cursor.
