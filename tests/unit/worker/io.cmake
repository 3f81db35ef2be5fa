# The I/O side of the worker, with real executor processes.
fanmill_test(worker_io_test unit
  SOURCES
    agent_loop_test.cpp
    captured_test.cpp
    command_test.cpp
    executor_cost_test.cpp
    executor_test.cpp
    long_task_watch_test.cpp
    plugin_headers_test.cpp
    plugin_test.cpp
  LIBS fanmill_worker_io)
target_include_directories(worker_io_test PRIVATE ${CMAKE_SOURCE_DIR}/worker/plugin/include)
add_dependencies(worker_io_test fanmill-executor fanmill-worker plugin_types plugin_state plugin_plain)
