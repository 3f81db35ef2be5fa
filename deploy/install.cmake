# cmake --install build --prefix PREFIX: the programs, the public headers, and the CMake package `fanmill`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Programs look for one another beside themselves.
install(TARGETS fanmill fanmill-broker fanmill-worker fanmill-executor RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

include(${CMAKE_SOURCE_DIR}/producer/install.cmake)

set(fanmill_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fanmill)
install(EXPORT fanmillTargets NAMESPACE fanmill:: DESTINATION ${fanmill_package_dir})
configure_package_config_file(${CMAKE_SOURCE_DIR}/deploy/fanmillConfig.cmake.in
                              ${CMAKE_BINARY_DIR}/fanmillConfig.cmake
                              INSTALL_DESTINATION ${fanmill_package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/fanmillConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/fanmillConfig.cmake ${CMAKE_BINARY_DIR}/fanmillConfigVersion.cmake
        DESTINATION ${fanmill_package_dir})
