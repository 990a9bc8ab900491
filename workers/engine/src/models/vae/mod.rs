//! The VAE.
