//! Layers with their weights.
