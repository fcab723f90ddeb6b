[(identifier) (field_identifier) (type_identifier) (shorthand_field_identifier) (self) (super) (crate)] @name
(type_identifier) @type
(impl_item trait: [(type_identifier) @base (scoped_type_identifier name: (type_identifier) @base)])
(let_declaration pattern: (identifier) @local)
(parameter pattern: (identifier) @local)
(use_declaration) @import
(mod_item !body) @import
