# The I/O side of the worker: the executor program with its functions, and the agent around it.
add_library(fanmill_functions STATIC
  functions/arguments.cpp
  functions/builtin.cpp
  functions/command.cpp
  functions/command_setting.cpp
  functions/plugin.cpp
  functions/registry.cpp
  captured.cpp
  executor.cpp
  executor_report.cpp
  long_task_watch.cpp
  parked_pipe.cpp
  spawn.cpp)
target_link_libraries(fanmill_functions PUBLIC fanmill_proto ${CMAKE_DL_LIBS})

add_executable(fanmill-executor executor_main.cpp)
target_link_libraries(fanmill-executor PRIVATE fanmill_functions)

# The agent: also run as a thread by a private run of the CLI.
add_library(fanmill_worker_io STATIC
  agent.cpp
  cpu_count.cpp
  executor_pool.cpp
  executor_probe.cpp
  open_files.cpp
  options.cpp)
target_link_libraries(fanmill_worker_io PUBLIC fanmill_worker_core fanmill_functions fanmill_channel)

add_executable(fanmill-worker main.cpp)
target_link_libraries(fanmill-worker PRIVATE fanmill_worker_io CLI11::CLI11)
add_dependencies(fanmill-worker fanmill-executor)
