// Turns store writes into rows, a group at a time: one transaction each. Not thread-safe.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/duties.hpp"
#include "broker/sqlite/rows.hpp"

namespace fanmill::broker::sqlite {

class Writer {
 public:
  // Continues with the states of jobs that the file has.
  Writer(SQLite::Database& database, std::unordered_map<JobId, JobState> states);

  // All of them or none; throws SQLite::Exception. What it throws for may be tried again as it is.
  void commit(const std::vector<StoreWrite>& writes);

  // Removes what dropped jobs have left behind, and gives space back to the file system, for about
  // as long as it is given; false when nothing is left to do.
  bool tidy(std::chrono::milliseconds time);

 private:
  void apply(const PutJob& write);
  void apply(const PutChunk& write);
  void apply(const PutClose& write);
  void apply(const PutRecord& write);
  void apply(const PutState& write);
  void apply(const PutCharge& write);
  void apply(const PutPush& write);
  void apply(const PutDealt& write);
  void apply(const PutRound& write);
  void apply(const DropChunk& write);
  void apply(const DropRecord& write);
  void apply(const DropJob& write);
  void write_states();
  bool sweep_some();
  bool sweep(JobId job);
  bool give_back_some();

  SQLite::Database& database_;
  int rows_at_once_ = 1;           // swept
  const std::string synchronous_;  // sets it back to what the file was opened with
  std::unordered_map<JobId, JobState> states_;
  std::unordered_map<JobId, JobState> changed_;  // in the open transaction; empty: dropped
  bool garbage_ = true;                          // there may be some
  bool free_pages_ = true;                       // more than are kept, perhaps

  SQLite::Statement put_job_;
  SQLite::Statement put_state_;
  SQLite::Statement put_chunk_;
  SQLite::Statement put_record_;
  SQLite::Statement put_charge_;
  SQLite::Statement put_push_;
  SQLite::Statement put_dealt_;
  SQLite::Statement drop_dealt_;
  SQLite::Statement put_round_;
  SQLite::Statement drop_charges_;
  SQLite::Statement drop_chunk_;
  SQLite::Statement drop_record_;
  SQLite::Statement drop_job_;
  SQLite::Statement put_garbage_;
};

}  // namespace fanmill::broker::sqlite
