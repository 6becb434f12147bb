// The series of a family from the tables of all listeners.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "metrics/family_writer.h"
#include "metrics/snapshot.h"

namespace imapmeter::metrics {

template <class Enum, class T, std::size_t N, class Visit>
void each(const std::array<T, N>& table, Visit visit) {
  for (std::size_t i = 0; i < N; ++i) visit(static_cast<Enum>(i), table[i]);
}

// The series of the family that is open: one per listener, by one enum, by two.
template <class Numbers>
void by_listener(FamilyWriter& out, const Snapshot& all, Numbers Totals::*number) {
  for (const auto& listener : all.listeners) out.add({{"listener", listener.name}}, listener.totals.*number);
}
template <class Enum, class Numbers>
void by(FamilyWriter& out, const Snapshot& all, std::string_view label, Numbers Totals::*table) {
  for (const auto& listener : all.listeners) {
    each<Enum>(listener.totals.*table, [&](Enum value, const auto& n) {
      out.add({{"listener", listener.name}, {label, name(value)}}, n);
    });
  }
}
template <class Row, class Column, class Numbers>
void by(FamilyWriter& out, const Snapshot& all, std::string_view row_label, std::string_view column_label,
        Numbers Totals::*table) {
  for (const auto& listener : all.listeners) {
    each<Row>(listener.totals.*table, [&](Row row, const auto& columns) {
      each<Column>(columns, [&](Column column, std::uint64_t n) {
        out.add({{"listener", listener.name}, {row_label, name(row)}, {column_label, name(column)}}, n);
      });
    });
  }
}

}  // namespace imapmeter::metrics
