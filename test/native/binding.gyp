# The C++ tests for those who have no CMake: node-gyp, with the flags of the addon. scripts/test-native.cjs runs it.
{
  'includes': ['../../native/native.gypi'],
  'target_defaults': {'default_configuration': 'Release'},
  'targets': [
    {
      'target_name': 'check',
      'type': 'static_library',
      'sources': ['<@(core_files)', 'check.cc', 'reference.cc'],
    },
    {'target_name': 'pwconv_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['pwconv_test.cc']},
    {'target_name': 'rows_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['rows_test.cc']},
    {'target_name': 'dwconv_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['dwconv_test.cc']},
    {'target_name': 'pool_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['pool_test.cc']},
    {
      'target_name': 'elementwise_test',
      'type': 'executable',
      'dependencies': ['check'],
      'sources': ['elementwise_test.cc'],
    },
    {'target_name': 'peak_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['peak_test.cc']},
    {'target_name': 'key_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['key_test.cc']},
    {'target_name': 'model_test', 'type': 'executable', 'dependencies': ['check'], 'sources': ['model_test.cc']},
  ],
  'conditions': [
    [
      'OS=="linux"',
      # What test/reliability preloads.
      {
        'targets': [
          {'target_name': 'failing_new', 'type': 'loadable_module', 'sources': ['failing_new.cc']},
          {'target_name': 'late_exit', 'type': 'loadable_module', 'sources': ['late_exit.cc']},
        ],
      },
    ],
  ],
}
