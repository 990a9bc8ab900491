//! `samples.parquet`: the columns of `samples.csv`, typed; what was not measured is null.
//!
//! Written column by column with parquet's own writer: the arrow crates would be a second library of tables for nine
//! columns and some floats.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::report::SampleRow;

/// A table that parquet would not take.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library's own word.
    #[error("samples.parquet could not be written")]
    Write(#[from] ParquetError),
    /// The schema and the data disagree about the number of columns.
    #[error("samples.parquet has no column `{0}`")]
    NoColumn(String),
}

type RowGroup<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// The file, with one column per metric behind the fixed ones.
pub(super) fn samples(rows: &[SampleRow], metrics: &[String]) -> Result<Vec<u8>, Error> {
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema(metrics)?, properties)?;
    let mut group = writer.next_row_group()?;
    text(&mut group, "method", rows, |row| row.method.clone())?;
    text(&mut group, "point", rows, |row| row.point.clone())?;
    text(&mut group, "concept", rows, |row| row.concept.clone())?;
    let seeds: Vec<i64> = rows.iter().map(|row| row.train_seed as i64).collect();
    column::<Int64Type>(&mut group, "train_seed", &seeds, None)?;
    let prompts: Vec<i32> = rows.iter().map(|row| row.prompt_index as i32).collect();
    column::<Int32Type>(&mut group, "prompt_index", &prompts, None)?;
    let positions: Vec<i32> = rows.iter().map(|row| row.sample as i32).collect();
    column::<Int32Type>(&mut group, "sample", &positions, None)?;
    text(&mut group, "prompt", rows, |row| row.prompt.clone())?;
    text(&mut group, "file_name", rows, |row| row.file_name.clone())?;
    text(&mut group, "blake3", rows, |row| row.digest.to_string())?;
    for metric in metrics {
        optional(&mut group, metric, rows)?;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}

fn schema(metrics: &[String]) -> Result<TypePtr, ParquetError> {
    let mut fields = vec![
        field("method", Physical::BYTE_ARRAY)?,
        field("point", Physical::BYTE_ARRAY)?,
        field("concept", Physical::BYTE_ARRAY)?,
        field("train_seed", Physical::INT64)?,
        field("prompt_index", Physical::INT32)?,
        field("sample", Physical::INT32)?,
        field("prompt", Physical::BYTE_ARRAY)?,
        field("file_name", Physical::BYTE_ARRAY)?,
        field("blake3", Physical::BYTE_ARRAY)?,
    ];
    for metric in metrics {
        let metric = Type::primitive_type_builder(metric, Physical::DOUBLE);
        fields.push(Arc::new(metric.with_repetition(Repetition::OPTIONAL).build()?));
    }
    Ok(Arc::new(
        Type::group_type_builder("samples").with_fields(fields).build()?,
    ))
}

fn field(name: &str, physical: Physical) -> Result<TypePtr, ParquetError> {
    let logical = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
    let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
    Ok(Arc::new(field.with_logical_type(logical).build()?))
}

fn text(
    group: &mut RowGroup<'_>,
    name: &str,
    rows: &[SampleRow],
    value: impl Fn(&SampleRow) -> String,
) -> Result<(), Error> {
    let values: Vec<ByteArray> = rows
        .iter()
        .map(|row| ByteArray::from(value(row).into_bytes()))
        .collect();
    column::<ByteArrayType>(group, name, &values, None)
}

fn optional(group: &mut RowGroup<'_>, metric: &str, rows: &[SampleRow]) -> Result<(), Error> {
    let values: Vec<f64> = rows
        .iter()
        .filter_map(|row| row.values.get(metric).copied())
        .collect();
    let present: Vec<i16> = rows
        .iter()
        .map(|row| i16::from(row.values.contains_key(metric)))
        .collect();
    column::<DoubleType>(group, metric, &values, Some(&present))
}

fn column<T: DataType>(
    group: &mut RowGroup<'_>,
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
