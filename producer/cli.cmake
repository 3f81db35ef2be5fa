# fanmill_producer: the connection and the loop of a job. fanmill_cli: what the command line adds to it, also for tests.
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)
find_library(CSV_LIBRARY csv REQUIRED)

add_library(fanmill_producer STATIC client.cpp row_batch.cpp)
target_include_directories(fanmill_producer PUBLIC include)
target_link_libraries(fanmill_producer PUBLIC fanmill_producer_core fanmill_channel fmt::fmt)

add_library(fanmill_cli STATIC
  commands/argument_line.cpp
  combined_source.cpp
  console.cpp
  csv_source.cpp
  failure_report.cpp
  input_fd.cpp
  json_source.cpp
  json_tuple.cpp
  limited_source.cpp
  line_reader.cpp
  preview.cpp
  progress.cpp
  quantities.cpp
  range.cpp
  source.cpp
  text_value.cpp
  values.cpp
  writer_thread.cpp
  writers.cpp)
target_include_directories(fanmill_cli PUBLIC ${CSV_INCLUDE_DIR})
target_link_libraries(fanmill_cli PUBLIC fanmill_producer Threads::Threads PRIVATE simdjson::simdjson ${CSV_LIBRARY})

add_executable(fanmill main.cpp map_run.cpp commands/exec.cpp commands/map.cpp commands/run_options.cpp)
target_link_libraries(fanmill PRIVATE fanmill_cli fanmill_private_run CLI11::CLI11)
# A private run needs the executor program beside it; `fanmill broker` and `fanmill worker` theirs.
foreach(program fanmill-executor fanmill-broker fanmill-worker)
  if(TARGET ${program})
    add_dependencies(fanmill ${program})
  endif()
endforeach()
