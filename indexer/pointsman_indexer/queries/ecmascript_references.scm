[(identifier) (property_identifier) (shorthand_property_identifier) (this) (super)] @name
(arrow_function parameter: (identifier) @local)
(variable_declarator name: (identifier) @local)
(member_expression object: (new_expression) @made)
(import_statement) @import
(export_statement source: (_)) @import
(variable_declarator value: (call_expression function: (identifier) arguments: (arguments (string)))) @import
