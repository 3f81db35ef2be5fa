# The I/O around the core: store, loop, and the program.
add_library(fanmill_broker_io STATIC
  keyring.cpp
  loop.cpp
  memory_store.cpp
  spill_file.cpp)
target_link_libraries(fanmill_broker_io PUBLIC fanmill_broker_core fanmill_channel)

# The durable store. Private runs without a journal do without.
add_library(fanmill_sqlite_store STATIC
  sqlite/load.cpp
  sqlite/reserve.cpp
  sqlite/rows.cpp
  sqlite/sqlite_store.cpp
  sqlite/store_file.cpp
  sqlite/verify.cpp
  sqlite/writer.cpp)
target_link_libraries(fanmill_sqlite_store
  PUBLIC fanmill_broker_io fanmill_sqlite_file
  PRIVATE msgpackc-cxx)

add_executable(fanmill-broker main.cpp store_choice.cpp store_command.cpp)
target_link_libraries(fanmill-broker PRIVATE fanmill_sqlite_store CLI11::CLI11)
