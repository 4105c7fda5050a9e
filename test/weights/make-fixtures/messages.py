"""Classes of Protocol Buffers for scripts beside this one, without its compiler. Debian: python3-protobuf."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto


def classes(package, messages, syntax='proto2'):
    """Of each message by its name: lists of (field, number, kind), where '*' is repeated and other messages are kinds."""
    file = descriptor_pb2.FileDescriptorProto(name=f'small-{package}.proto', package=package, syntax=syntax)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = FIELD.LABEL_REPEATED if kind[0] == '*' else FIELD.LABEL_OPTIONAL
            own = message.field.add(name=field, number=number, label=label)
            kind = kind.lstrip('*')
            own.type = getattr(FIELD, f'TYPE_{kind}', FIELD.TYPE_MESSAGE)
            if own.type == FIELD.TYPE_MESSAGE:
                own.type_name = f'.{package}.{kind}'
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(f'{package}.{name}')) for name in messages}
