(class_heritage [(identifier) @base (member_expression property: (property_identifier) @base)])
(formal_parameters (identifier) @local)
