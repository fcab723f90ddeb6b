[(identifier) (field_identifier) (type_identifier) (package_identifier)] @name
(type_identifier) @type
(parameter_declaration name: (identifier) @local)
(short_var_declaration left: (expression_list (identifier) @local))
(var_spec name: (identifier) @local)
(range_clause left: (expression_list (identifier) @local))
(import_spec) @import
