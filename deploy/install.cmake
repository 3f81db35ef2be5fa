# What `cmake --install build` puts where: the programs, the C++ library and its CMake package.
include(CMakePackageConfigHelpers)

install(TARGETS fanmill fanmill-broker fanmill-worker fanmill-executor
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)

install(TARGETS fanmill_client EXPORT fanmillTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/producer/include/fanmill ${CMAKE_SOURCE_DIR}/proto/include/fanmill
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

set(FANMILL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fanmill)
install(EXPORT fanmillTargets NAMESPACE fanmill:: DESTINATION ${FANMILL_CMAKE_DIR} COMPONENT development)
configure_package_config_file(${CMAKE_SOURCE_DIR}/deploy/fanmillConfig.cmake.in ${CMAKE_BINARY_DIR}/fanmillConfig.cmake
  INSTALL_DESTINATION ${FANMILL_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/fanmillConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/fanmillConfig.cmake ${CMAKE_BINARY_DIR}/fanmillConfigVersion.cmake
        DESTINATION ${FANMILL_CMAKE_DIR} COMPONENT development)
