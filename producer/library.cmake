# fanmill_client: the C++ library that a program links as fanmill::client, and the archive that is installed. It holds
# all the parts of a private run, so that a program needs this one file and the libraries of the system.
set(FANMILL_CLIENT_PARTS
  fanmill_proto fanmill_channel
  fanmill_broker_core fanmill_broker_io
  fanmill_functions fanmill_worker_core fanmill_worker_io
  fanmill_producer_core fanmill_producer fanmill_private_run)
set(FANMILL_CLIENT_OBJECTS)
foreach(part IN LISTS FANMILL_CLIENT_PARTS)
  list(APPEND FANMILL_CLIENT_OBJECTS $<TARGET_OBJECTS:${part}>)
endforeach()

add_library(fanmill_client STATIC
  library/calls_job.cpp
  library/engine.cpp
  library/executor_path.cpp
  library/failures.cpp
  library/io_thread.cpp
  library/open_chunk.cpp
  library/read.cpp
  library/stream_job.cpp
  ${FANMILL_CLIENT_OBJECTS})
add_library(fanmill::client ALIAS fanmill_client)
set_target_properties(fanmill_client PROPERTIES OUTPUT_NAME fanmill EXPORT_NAME client)
target_compile_features(fanmill_client PUBLIC cxx_std_20)
target_include_directories(fanmill_client PUBLIC
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/proto/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# A relocated package finds the program of its own prefix.
target_compile_definitions(fanmill_client INTERFACE
  $<INSTALL_INTERFACE:FANMILL_EXECUTOR_INSTALLED="$<INSTALL_PREFIX>/${CMAKE_INSTALL_BINDIR}/fanmill-executor">)
target_link_libraries(fanmill_client PRIVATE
  $<BUILD_INTERFACE:fanmill_options> $<BUILD_INTERFACE:tl::expected> $<BUILD_INTERFACE:cppzmq>
  libzmq spdlog::spdlog fmt::fmt roaring::roaring Threads::Threads)
# The program runs tasks for it, beside the programs of this build.
add_dependencies(fanmill_client fanmill-executor)
