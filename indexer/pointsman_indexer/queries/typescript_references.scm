(type_identifier) @name
(type_identifier) @type
(formal_parameters (_ pattern: (identifier) @local))
(extends_clause value: [(identifier) @base (member_expression property: (property_identifier) @base)])
(implements_clause [(type_identifier) @base (generic_type name: (type_identifier) @base)])
(extends_type_clause [(type_identifier) @base (generic_type name: (type_identifier) @base)])
