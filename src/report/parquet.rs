//! `samples.parquet` and `cells.parquet`: typed columns; what was not measured is null.
//!
//! Written column by column with parquet's own writer: the arrow crates would be a second library of tables for some
//! columns of text and floats.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::report::SampleRow;
use crate::report::promptwise::PromptCell;

/// A table that parquet would not take.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library's own word.
    #[error("a parquet file could not be written")]
    Write(#[from] ParquetError),
    /// The schema and the data disagree about the number of columns.
    #[error("a parquet file has no column `{0}`")]
    NoColumn(String),
}

/// `samples.parquet`: the columns of `samples.csv`, with one per metric behind the fixed ones.
pub(super) fn samples(rows: &[SampleRow], metrics: &[String]) -> Result<Vec<u8>, Error> {
    let mut table = Table::default();
    table.text("method", rows, |row| &row.method);
    table.text("point", rows, |row| &row.point);
    table.text("concept", rows, |row| &row.concept);
    table.long("train_seed", rows, |row| row.train_seed as i64);
    table.int("prompt_index", rows, |row| row.prompt_index as i32);
    table.int("sample", rows, |row| row.sample as i32);
    table.text("prompt", rows, |row| &row.prompt);
    table.text("file_name", rows, |row| &row.file_name);
    table.text("blake3", rows, |row| row.digest.to_string());
    for metric in metrics {
        table.optional(metric, rows, |row| row.values.get(metric).copied());
    }
    table.file("samples")
}

/// `cells.parquet`: one row per run and prompt, with the means over its samples.
pub(super) fn cells(rows: &[PromptCell], metrics: &[String]) -> Result<Vec<u8>, Error> {
    let mut table = Table::default();
    table.text("method", rows, |row| &row.method);
    table.text("point", rows, |row| &row.point);
    table.text("concept", rows, |row| &row.concept);
    table.long("train_seed", rows, |row| row.train_seed as i64);
    table.int("prompt_index", rows, |row| row.prompt_index as i32);
    table.text("pattern", rows, |row| &row.pattern);
    table.int("images", rows, |row| row.images as i32);
    table.int("images_scored", rows, |row| row.images_scored as i32);
    for metric in metrics {
        table.optional(metric, rows, |row| row.means.get(metric).copied());
    }
    table.file("cells")
}

/// Columns in order.
#[derive(Default)]
struct Table(Vec<(String, Column)>);

enum Column {
    Text(Vec<ByteArray>),
    Int(Vec<i32>),
    Long(Vec<i64>),
    /// The values there are, and for each row whether it has one.
    Optional(Vec<f64>, Vec<i16>),
}

impl Table {
    fn text<'a, R, T: AsRef<str>>(&mut self, name: &str, rows: &'a [R], value: impl Fn(&'a R) -> T) {
        let values = rows.iter().map(|row| ByteArray::from(value(row).as_ref()));
        self.0.push((name.to_owned(), Column::Text(values.collect())));
    }

    fn int<R>(&mut self, name: &str, rows: &[R], value: impl Fn(&R) -> i32) {
        let values = rows.iter().map(value).collect();
        self.0.push((name.to_owned(), Column::Int(values)));
    }

    fn long<R>(&mut self, name: &str, rows: &[R], value: impl Fn(&R) -> i64) {
        let values = rows.iter().map(value).collect();
        self.0.push((name.to_owned(), Column::Long(values)));
    }

    fn optional<R>(&mut self, name: &str, rows: &[R], value: impl Fn(&R) -> Option<f64>) {
        let present = rows.iter().map(|row| i16::from(value(row).is_some())).collect();
        let values = rows.iter().filter_map(value).collect();
        self.0.push((name.to_owned(), Column::Optional(values, present)));
    }

    /// The file's bytes.
    fn file(self, name: &str) -> Result<Vec<u8>, Error> {
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(Vec::new(), self.schema(name)?, properties)?;
        let mut group = writer.next_row_group()?;
        for (name, column) in &self.0 {
            match column {
                Column::Text(values) => write::<ByteArrayType>(&mut group, name, values, None)?,
                Column::Int(values) => write::<Int32Type>(&mut group, name, values, None)?,
                Column::Long(values) => write::<Int64Type>(&mut group, name, values, None)?,
                Column::Optional(values, present) => {
                    write::<DoubleType>(&mut group, name, values, Some(present))?;
                }
            }
        }
        group.close()?;
        Ok(writer.into_inner()?)
    }

    fn schema(&self, name: &str) -> Result<TypePtr, ParquetError> {
        let fields = self.0.iter().map(|(name, column)| column.field(name));
        let fields = fields.collect::<Result<_, _>>()?;
        Ok(Arc::new(
            Type::group_type_builder(name).with_fields(fields).build()?,
        ))
    }
}

impl Column {
    fn field(&self, name: &str) -> Result<TypePtr, ParquetError> {
        let (physical, repetition, logical) = match self {
            Self::Text(_) => (
                Physical::BYTE_ARRAY,
                Repetition::REQUIRED,
                Some(LogicalType::String),
            ),
            Self::Int(_) => (Physical::INT32, Repetition::REQUIRED, None),
            Self::Long(_) => (Physical::INT64, Repetition::REQUIRED, None),
            Self::Optional(..) => (Physical::DOUBLE, Repetition::OPTIONAL, None),
        };
        let field = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        Ok(Arc::new(field.with_logical_type(logical).build()?))
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    name: &str,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), Error> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| Error::NoColumn(name.to_owned()))?;
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()?;
    Ok(())
}
