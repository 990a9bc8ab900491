//! The U-Net.
