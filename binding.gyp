# What users build: npm runs node-gyp on this. CMakeLists.txt builds the same sources for developers.
{
  'includes': ['native/native.gypi'],
  'targets': [
    {
      'target_name': 'shufflenet',
      'sources': ['<@(core_files)', '<@(addon_files)'],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        # Also those of the standard library: an exception that reaches V8 breaks it.
        'NODE_ADDON_API_CPP_EXCEPTIONS_ALL',
        # A worker thread that is being terminated must not take the process with it.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      # The executor's threads outlive the worker thread that loaded the addon, so its code must stay.
      'conditions': [['OS=="linux"', {'ldflags': ['-Wl,-z,nodelete']}]],
    },
  ],
}
