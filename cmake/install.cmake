# Two promises, two components: `cxx` (static libraries, source-stable) and `c` (shared, the only ABI promise), so that
# a C program needs nothing of what the C++ API is made of. `node`, on top of `cxx`, for agents and what only they need.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/convergence)
set(headers ${PROJECT_SOURCE_DIR}/include/convergence)

install(TARGETS convergence_core convergence convergence_testing EXPORT convergence-cxx-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cxx
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT cxx FILES_MATCHING PATTERN "*.h")
install(EXPORT convergence-cxx-targets NAMESPACE convergence:: DESTINATION ${package_directory} COMPONENT cxx)

install(TARGETS convergence_node convergence_spawn EXPORT convergence-node-targets
  RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/convergence COMPONENT node
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT node
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT convergence-node-targets NAMESPACE convergence:: DESTINATION ${package_directory} COMPONENT node)

if(TARGET convergence_c)
  install(TARGETS convergence_c EXPORT convergence-c-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT c
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES ${headers}/c.h ${headers}/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/convergence COMPONENT c)
  install(EXPORT convergence-c-targets NAMESPACE convergence:: DESTINATION ${package_directory} COMPONENT c)

  # From the folder of the .pc file up to the prefix: a package that was moved is still found.
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE pc_prefix)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/convergence-c.pc.in ${PROJECT_BINARY_DIR}/convergence-c.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/convergence-c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT c)
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/convergence-config.cmake.in
  ${PROJECT_BINARY_DIR}/convergence-config.cmake INSTALL_DESTINATION ${package_directory}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/convergence-config-version.cmake
  COMPATIBILITY SameMinorVersion)
foreach(component cxx node c)
  install(FILES ${PROJECT_BINARY_DIR}/convergence-config.cmake ${PROJECT_BINARY_DIR}/convergence-config-version.cmake
    DESTINATION ${package_directory} COMPONENT ${component})
endforeach()

if(TARGET converge)
  install(TARGETS converge RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()
