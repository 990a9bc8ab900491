//! Matrix products on slices: a checked face over the `gemm` crate.
//!
//! The crate splits work by output tile and never along the summed dimension, so the bits of a result do not depend
//! on the number of threads.

use gemm::Parallelism;

/// A read-only matrix inside a slice.
#[derive(Clone, Copy)]
pub(super) struct Mat<'a, T = f32> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// Rows of `cols` elements, each `row_stride` after the one before.
    pub(super) fn strided(data: &'a [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride: 1,
        }
    }

    /// Rows one behind the other.
    pub(super) fn packed(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The transpose, without moving anything.
    pub(super) fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    fn span(&self) -> usize {
        span(self.rows, self.cols, self.row_stride, self.col_stride)
    }
}

/// The matrix a product is written to: rows of consecutive elements.
pub(super) struct MatMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
}

impl<'a> MatMut<'a> {
    /// Rows of `cols` elements, each `row_stride` after the one before.
    pub(super) fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self {
            data,
            rows,
            cols,
            row_stride,
        }
    }

    /// Rows one behind the other.
    pub(super) fn packed(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// # Panics
    /// If the slice is shorter than the matrix, or rows overlap.
    pub(super) fn check(&self) {
        let (rows, cols, row_stride) = (self.rows, self.cols, self.row_stride);
        let reach = span(rows, cols, row_stride, 1);
        assert!(self.data.len() >= reach, "output too short");
        assert!(rows <= 1 || row_stride >= cols, "output rows overlap");
    }
}

/// What becomes of the values already in the output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// They are overwritten.
    Over,
    /// The product is added to them.
    Add,
}

/// Who computes a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// The calling thread, because the caller is one of many parallel tasks.
    One,
    /// The whole rayon pool.
    All,
}

/// `out = a · b`, or `out += a · b`.
///
/// # Panics
/// If the shapes do not fit or a slice is shorter than its matrix: a mistake in a kernel, never in its input.
pub(super) fn gemm(out: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, write: Write, threads: Threads) {
    out.check();
    let MatMut {
        data,
        rows,
        cols,
        row_stride,
    } = out;
    assert_eq!((rows, cols, a.cols), (a.rows, b.cols, b.rows), "matrix shapes");
    assert!(
        a.data.len() >= a.span() && b.data.len() >= b.span(),
        "operand too short"
    );
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    #[expect(unsafe_code, reason = "the gemm crate takes raw pointers")]
    // SAFETY: the assertions above bound every element that is read or written, and `data` is borrowed mutably, so it
    // overlaps neither operand.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            a.cols,
            data.as_mut_ptr(),
            1,
            row_stride as isize,
            write == Write::Add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// How many elements a matrix reaches over.
fn span(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> usize {
    if rows == 0 || cols == 0 {
        return 0;
    }
    (rows - 1) * row_stride + (cols - 1) * col_stride + 1
}
