[(identifier) (type_identifier) (this) (super)] @name
(type_identifier) @type
(superclass [(type_identifier) @base (generic_type (type_identifier) @base)])
(super_interfaces (type_list [(type_identifier) @base (generic_type (type_identifier) @base)]))
(extends_interfaces (type_list [(type_identifier) @base (generic_type (type_identifier) @base)]))
(formal_parameter name: (identifier) @local)
(local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
(enhanced_for_statement name: (identifier) @local)
(field_declaration declarator: (variable_declarator name: (identifier) @field))
(method_invocation object: (object_creation_expression) @made)
(import_declaration) @import
