# fanmill_producer: the connection and the loop of a job. fanmill_cli: what the command line adds to it, also for tests.
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)
find_library(CSV_LIBRARY csv REQUIRED)

add_library(fanmill_producer STATIC broker_watch.cpp client.cpp documents.cpp query.cpp row_batch.cpp visible_text.cpp)
target_include_directories(fanmill_producer PUBLIC include)
target_link_libraries(fanmill_producer PUBLIC fanmill_producer_core fanmill_channel fmt::fmt)

add_library(fanmill_cli STATIC
  causes.cpp
  combined_source.cpp
  command_preview.cpp
  commands/argument_line.cpp
  console.cpp
  csv_source.cpp
  csv_writer.cpp
  failure_report.cpp
  grouped_source.cpp
  input_fd.cpp
  job_log.cpp
  json_source.cpp
  journal/journal_file.cpp
  journal/journaled_job.cpp
  journal/journaling.cpp
  journal/resume.cpp
  journal/tuple_hash.cpp
  journal/tuple_match.cpp
  json_tuple.cpp
  jsonl_writer.cpp
  limited_source.cpp
  line_reader.cpp
  preview.cpp
  progress.cpp
  progress_output.cpp
  quantities.cpp
  range.cpp
  rate_window.cpp
  reports.cpp
  row_cells.cpp
  row_columns.cpp
  run_stats.cpp
  sampled_source.cpp
  signals.cpp
  source.cpp
  submitted_tuples.cpp
  summary.cpp
  table.cpp
  why_report.cpp
  text_reader.cpp
  values.cpp
  values_writer.cpp
  writer_thread.cpp
  writers.cpp)
target_include_directories(fanmill_cli PUBLIC ${CSV_INCLUDE_DIR})
target_link_libraries(fanmill_cli PUBLIC fanmill_producer Threads::Threads PRIVATE fanmill_sqlite_file simdjson::simdjson ${CSV_LIBRARY})

add_executable(fanmill main.cpp
  cursor_file.cpp follow_run.cpp map_run.cpp submit_run.cpp wait_run.cpp
  commands/broker_command.cpp commands/broker_option.cpp commands/command_options.cpp commands/dry_run.cpp
  commands/empty_values.cpp commands/exec.cpp commands/failure_options.cpp commands/functions.cpp commands/gather.cpp commands/input_options.cpp
  commands/jobs.cpp commands/map.cpp commands/option_groups.cpp commands/output_files.cpp commands/plugin_option.cpp
  commands/push.cpp commands/run_options.cpp commands/status.cpp commands/steer.cpp commands/submit.cpp
  commands/submit_options.cpp commands/wait.cpp commands/why.cpp version.cpp)
# The last three for their versions alone.
target_link_libraries(fanmill PRIVATE fanmill_cli fanmill_private_run CLI11::CLI11 nlohmann_json::nlohmann_json
  simdjson::simdjson msgpackc-cxx roaring::roaring)
# A private run needs the executor program beside it; `fanmill broker` and `fanmill worker` theirs.
foreach(program fanmill-executor fanmill-broker fanmill-worker)
  if(TARGET ${program})
    add_dependencies(fanmill ${program})
  endif()
endforeach()
