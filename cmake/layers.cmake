# Flags of our own code; never seen by those who link it.
add_library(convergence_build_flags INTERFACE)
target_compile_options(convergence_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -ffp-contract=off
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-restrict>  # g++ 12, optimising, sees overlaps in std::string that are not there (its bug 105329)
  # g++ warns of locals that hide what another source of the target declares; alone, each is still looked at
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wno-shadow>
  $<$<BOOL:${CONVERGENCE_WERROR}>:-Werror>)
if(CONVERGENCE_SANITIZE)
  target_compile_options(convergence_build_flags INTERFACE
    -fsanitize=${CONVERGENCE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(CONVERGENCE_SANITIZE MATCHES undefined AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(convergence_build_flags INTERFACE
      -fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/ubsan.ignore)
  endif()
  target_link_options(convergence_build_flags INTERFACE -fsanitize=${CONVERGENCE_SANITIZE})
endif()

# convergence_layer(name SOURCES ... SEES layer... PACKAGES target...)
# One folder of lib/ as an object library; SEES are the layers it may include, which a test reads too.
function(convergence_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;SEES;PACKAGES" ${ARGN})
  set(target convergence_${name}_objects)
  add_library(${target} OBJECT ${arg_SOURCES})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC absl::status absl::statusor fmt::fmt ${arg_PACKAGES}
                                  PRIVATE convergence_build_flags)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                                             VISIBILITY_INLINES_HIDDEN ON CXX_EXTENSIONS OFF)
  convergence_unity(${target} lib)
  set_property(TARGET ${target} PROPERTY convergence_sees ${arg_SEES})
  set_property(TARGET ${target} PROPERTY convergence_packages ${arg_PACKAGES})
  set_property(GLOBAL APPEND PROPERTY convergence_layers ${name})
endfunction()

# convergence_library(name LAYERS ... USES ...): layers gathered into the static library that users link, as
# convergence::<name> in this build and when installed.
function(convergence_library name)
  cmake_parse_arguments(arg "" "" "LAYERS;USES" ${ARGN})
  set(target convergence_${name})
  if(name STREQUAL "convergence")
    set(target convergence)
  endif()
  add_library(${target} STATIC)
  add_library(convergence::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} LINKER_LANGUAGE CXX)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  target_link_libraries(${target} PUBLIC absl::status absl::statusor)
  target_link_options(${target} INTERFACE $<BUILD_INTERFACE:$<TARGET_PROPERTY:convergence_build_flags,INTERFACE_LINK_OPTIONS>>)
  foreach(layer IN LISTS arg_LAYERS)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:convergence_${layer}_objects>)
    get_property(packages TARGET convergence_${layer}_objects PROPERTY convergence_packages)
    list(REMOVE_ITEM packages convergence_rapidjson)  # headers only: nothing for those who link
    target_link_libraries(${target} PRIVATE fmt::fmt ${packages})
  endforeach()
  foreach(used IN LISTS arg_USES)
    target_link_libraries(${target} PUBLIC convergence::${used})
  endforeach()
endfunction()

# convergence_test_links(target layer...): the objects of these layers and of all they see.
function(convergence_test_links target)
  set(open ${ARGN})
  set(seen "")
  while(open)
    list(POP_FRONT open layer)
    if(NOT layer IN_LIST seen)
      list(APPEND seen ${layer})
      get_property(sees TARGET convergence_${layer}_objects PROPERTY convergence_sees)
      list(APPEND open ${sees})
      target_link_libraries(${target} PRIVATE convergence_${layer}_objects)
    endif()
  endwhile()
endfunction()
